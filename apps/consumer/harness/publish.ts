/** @file Every package, released to the local registry from a throw-away copy of the repository. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { entryNames } from '../../../tooling/checks/workspace.mjs'
import {
  copyRepository,
  releasedPackages,
  runIn,
  toolsOnPath,
  withoutProvenance,
} from '../../../tooling/release/copy.mjs'
import { run } from './command.ts'
import { npmrc, SCOPE, type Registry } from './registry.ts'

/** A package as the registry has it. */
export interface PublishedPackage {
  readonly name: string
  readonly version: string
  /** What can be imported: `@ao/int8`, `@ao/int8/webgpu`. */
  readonly entries: readonly string[]
  /** What it can be run as: `ao`. */
  readonly programs: readonly string[]
}

interface Manifest {
  readonly name: string
  readonly repository?: { readonly url: string }
  readonly bin?: Readonly<Record<string, string>>
}

/** What this needs of the document that a registry has about a package. */
interface Packument {
  readonly 'dist-tags': { readonly latest: string }
  readonly versions: Readonly<Record<string, Manifest>>
}

const REPOSITORY = 'someone/ao'

/** Applies the pending changesets in a copy below `folder`, and publishes with the release's command. */
export async function publishAll(folder: string, registry: Registry): Promise<PublishedPackage[]> {
  const copy = join(folder, 'copy')
  copyRepository(copy)
  runIn(copy, 'changeset', ['version'])
  withoutProvenance(copy)
  const userconfig = join(folder, 'publish.npmrc')
  await writeFile(userconfig, npmrc(registry))
  const env = {
    ...toolsOnPath(),
    GITHUB_REPOSITORY: REPOSITORY,
    // Both, so that nothing can be published anywhere else.
    [`npm_config_${SCOPE}:registry`]: registry.url,
    npm_config_registry: registry.url,
    // In place of the user's, who may well be logged in to somewhere.
    npm_config_userconfig: userconfig,
    npm_config_cache: join(folder, 'npm-cache'),
  }
  await run(process.execPath, ['tooling/release/publish.mjs'], { folder: copy, env })
  const names = releasedPackages(copy).map(({ manifest }) => String(manifest['name']))
  return Promise.all(names.map((name) => published(name, registry)))
}

/** A package as a stranger sees it: what the registry says. */
async function published(name: string, registry: Registry): Promise<PublishedPackage> {
  const answer = await fetch(`${registry.url}${name.replace('/', '%2f')}`)
  if (!answer.ok) throw new Error(`Expected ${name} to be published, got ${answer.status}.`)
  const { 'dist-tags': tags, versions } = (await answer.json()) as Packument
  const manifest = versions[tags.latest]
  const repository = manifest?.repository?.url ?? 'none'
  if (manifest === undefined || !repository.includes(REPOSITORY)) {
    throw new Error(`Expected ${name} to name the repository ${REPOSITORY}, got ${repository}.`)
  }
  const programs = Object.keys(manifest.bin ?? {})
  return { name, version: tags.latest, entries: entryNames(manifest), programs }
}

/**
 * @file Everything that a release does but the upload, in a throw-away copy: the pending changesets
 * become versions and changelogs, and npm says of every package what it would publish. Needs built
 * packages, and runs after `check:packages`, which is the other half of `npm run release:dry`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inPairs, report, run } from '../checks/workspace.mjs'
import { copyRepository, releasedPackages, runIn } from './copy.mjs'

const PUBLISH = ['publish', '--dry-run', '--json', '--no-git-checks', '--access', 'public']

const scratch = mkdtempSync(join(tmpdir(), 'ao-release-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const copy = join(scratch, 'copy')
copyRepository(copy)
const before = releasedPackages(copy)
console.log(runIn(copy, 'changeset', ['status']).trim())
runIn(copy, 'changeset', ['version'])
const after = releasedPackages(copy)
const problems = (await inPairs(after, dryPublish)).flat()
report(problems, 'Nothing was uploaded.')

/** Says what npm would publish; gives what it refuses. */
async function dryPublish({ folder, manifest: { name, version } }) {
  const pnpm = join(copy, 'node_modules', '.bin', 'pnpm')
  const { failed, output } = await run(pnpm, PUBLISH, folder)
  if (failed) return [`${name}: npm would refuse it\n${output}`]
  const { [name]: packed } = JSON.parse(output)
  const old = before.find((each) => each.manifest.name === name)?.manifest.version
  const size = `${packed.entryCount} files, ${(packed.size / 1000).toFixed(1)} kB`
  console.log(`${name} ${old === version ? '' : `${old} -> `}${version}: ${size}`)
  return packed.version === version ? [] : [`${name}: expected ${version}, got ${packed.version}`]
}

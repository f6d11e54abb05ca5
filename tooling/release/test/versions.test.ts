/** @file What changesets make of the versions, in a throw-away copy of the repository. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commitAll, copyRepository, readManifest, releasedPackages, runIn } from '../copy.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'ao-versions-'))
const copy = join(scratch, 'copy')
const folderOf = (name: string) => join(copy, 'packages', name)

/** Releases what is pending together with `changesets`, by the command that a release uses. */
function release(...changesets: string[]): void {
  changesets.forEach((text, i) => writeFileSync(join(copy, '.changeset', `${i}.md`), text))
  commitAll(copy)
  runIn(copy, 'changeset', ['version'])
  commitAll(copy)
}

const versions = () => new Set(releasedPackages(copy).map(({ manifest }) => manifest.version))

/** The newest entry of a package's changelog, without the commits that lines begin with. */
function newestChanges(name: string): string {
  const [, entry] = readFileSync(join(folderOf(name), 'CHANGELOG.md'), 'utf8').split(/^## /m)
  return (entry ?? '').replaceAll(/^- [0-9a-f]{7,}: /gm, '- ').trim()
}

beforeAll(() => copyRepository(copy))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('a rehearsed release', () => {
  it('gives every package one version below 1.0, and a changelog', () => {
    release()
    expect([...versions()]).toEqual([expect.stringMatching(/^0\.\d+\.\d+$/)])
    for (const { folder, manifest } of releasedPackages(copy)) {
      const changelog = readFileSync(join(folder, 'CHANGELOG.md'), 'utf8')
      expect(changelog).toContain(`# ${manifest.name}\n\n## ${manifest.version}`)
    }
  })

  it('moves all by a patch when one package has a patch', () => {
    const [major, minor, patch] = readManifest(folderOf('int8')).version.split('.').map(Number)
    const next = `${major}.${minor}.${patch + 1}`
    release(`---\n'@ao/int8': patch\n---\n\nSmall groups are faster.\n`)
    expect([...versions()]).toEqual([next])
    expect(newestChanges('int8')).toMatch(
      new RegExp(`^${next}\n\n### Patch Changes\n\n- Small groups are faster.\n`),
    )
    // A dependent says what it now depends on, a package without dependencies nothing.
    expect(newestChanges('quantize')).toContain(`### Patch Changes\n\n- @ao/base-tensor@${next}`)
    expect(newestChanges('quantize')).not.toContain('Small groups')
    expect(newestChanges('base-tensor')).toBe(next)
  })

  it('makes no format 1.0.0 when kernels have a minor', () => {
    const [major, minor] = readManifest(folderOf('int8')).version.split('.').map(Number)
    const next = `${major}.${minor + 1}.0`
    const peers = readManifest(folderOf('int8')).peerDependencies
    release(`---\n'@ao/kernels-webgpu': minor\n---\n\nA kernel for long rows.\n`)
    expect([...versions()]).toEqual([next])
    expect(newestChanges('kernels-webgpu')).toContain('### Minor Changes\n\n- A kernel for long')
    expect(newestChanges('int8')).not.toContain('Major Changes')
    expect(readManifest(folderOf('int8')).peerDependencies).toEqual(peers)
  })

  it('publishes ranges that fit together: one minor of the packages, any 0.x of the kernels', () => {
    const { version } = readManifest(folderOf('int8'))
    runIn(folderOf('int8'), 'pnpm', ['pack', '--pack-destination', scratch])
    const tarball = join(scratch, `ao-int8-${version}.tgz`)
    const manifest = JSON.parse(runIn(scratch, 'tar', ['-xzOf', tarball, 'package/package.json']))
    expect(manifest.dependencies).toEqual({
      '@ao/base-tensor': `^${version}`,
      '@ao/granularity': `^${version}`,
      '@ao/quant-primitives': `^${version}`,
      '@ao/quantized-linear': `^${version}`,
    })
    expect(manifest.peerDependencies['@ao/kernels-webgpu']).toMatch(/^>=0\.\d+\.\d+ <1\.0\.0$/)
    expect(manifest.peerDependenciesMeta).toEqual({ '@ao/kernels-webgpu': { optional: true } })
  })
})

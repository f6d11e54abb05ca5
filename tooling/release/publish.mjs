/**
 * @file Publishes what is not published yet, in the repository in the current folder. On GitHub every
 * package first learns which repository it is built from: npm compares that with the workflow's own
 * statement, and refuses provenance where they differ. A fork thus publishes as itself.
 */
import { spawnSync } from 'node:child_process'
import { relative } from 'node:path'
import { readManifest, releasedPackages, toolsOnPath, writeManifest } from './copy.mjs'

const { GITHUB_REPOSITORY: repository, GITHUB_SERVER_URL: server = 'https://github.com' } =
  process.env
const root = process.cwd()
if (repository) {
  const url = `git+${server}/${repository}.git`
  for (const { folder } of releasedPackages(root)) {
    const directory = relative(root, folder).replaceAll('\\', '/')
    writeManifest(folder, { ...readManifest(folder), repository: { type: 'git', url, directory } })
  }
}
const shell = process.platform === 'win32'
const options = { env: { ...process.env, PATH: toolsOnPath().PATH }, stdio: 'inherit', shell }
process.exitCode = spawnSync('changeset', ['publish'], options).status ?? 1

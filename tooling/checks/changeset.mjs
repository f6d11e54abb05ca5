/**
 * @file Changed sources come with a changeset. Compared are a pull request with the branch it goes
 * to (`GITHUB_BASE_REF`), and everything else with the last commit that wrote a changelog, which is
 * the last release. Before the first release every package must be named by a changeset.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { publicPackages, report } from './workspace.mjs'

const target = process.env.GITHUB_BASE_REF
const base = target ? `origin/${target}` : lastRelease()
if (base === '') {
  const pending = pendingChangesets()
  const unreleased = publicPackages().filter(({ manifest }) => manifest.version === '0.0.0')
  const forgotten = unreleased.filter(({ manifest }) => !pending.includes(`'${manifest.name}'`))
  report(
    forgotten.map(({ manifest }) => `${manifest.name}: not released, and in no changeset`),
    'Every package that is not released is named by a changeset.',
  )
} else {
  const { status } = spawnSync('changeset', ['status', '--since', base], { stdio: 'inherit' })
  process.exitCode = status ?? 1
}

function lastRelease() {
  const log = ['log', '-1', '--format=%H', '--', 'packages/*/CHANGELOG.md']
  return String(execFileSync('git', log)).trim()
}

function pendingChangesets() {
  const files = readdirSync('.changeset').filter((file) => /^(?!README).*\.md$/.test(file))
  return files.map((file) => readFileSync(`.changeset/${file}`, 'utf8')).join('\n')
}

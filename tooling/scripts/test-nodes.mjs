/**
 * @file Runs the tests on each version of Node that is supported: `npm run test:nodes -- [files]`.
 *
 * Versions come from npm, as the packages `node`, and are kept in `node_modules/.cache/nodes`. All run in
 * turn, also after one fails.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const VERSIONS = ['20.19', '22', '24']
const files = process.argv.slice(2)

const failed = VERSIONS.filter((version) => {
  const node = install(version)
  console.log(`\nNode ${run(node, ['--version'], 'pipe').stdout.toString().trim()}`)
  return run(node, ['node_modules/vitest/vitest.mjs', 'run', ...files], 'inherit').status !== 0
})
console.log(failed.length > 0 ? `\nFailed on Node ${failed.join(', ')}.` : '\nAll versions pass.')
process.exit(failed.length > 0 ? 1 : 0)

/** The path of Node's program of that version. */
function install(version) {
  const folder = resolve('node_modules/.cache/nodes', version)
  const node = join(folder, 'node_modules/node/bin/node')
  if (existsSync(node)) return node
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const args = ['install', '--no-save', '--no-audit', '--no-fund', `node@${version}`]
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw new Error(`npm could not install node@${version}.`)
  return node
}

function run(node, args, stdio) {
  // Tests start processes by `process.execPath`, and tools by PATH.
  const path = `${join(node, '..')}:${process.env.PATH}`
  return spawnSync(node, args, { stdio, env: { ...process.env, PATH: path } })
}

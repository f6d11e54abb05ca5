/**
 * @file Runs every `check:*` script of the root package.json, one line each with its time, and ends
 * with the output of those that failed.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
const checks = Object.keys(scripts).filter((name) => name.startsWith('check:'))
const failures = []

for (const name of checks) {
  const start = performance.now()
  const result = spawnSync('npm', ['run', '--silent', name], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    shell: process.platform === 'win32',
  })
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(5)
  const passed = result.status === 0
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(16)} ${seconds} s`)
  if (!passed) failures.push({ name, output: `${result.stdout}${result.stderr}`.trim() })
}

for (const { name, output } of failures) console.log(`\n--- npm run ${name}\n${output}`)
const failed = failures.map(({ name }) => name).join(', ')
console.log(failures.length > 0 ? `\nChecks that fail: ${failed}` : 'All checks pass.')
process.exit(failures.length > 0 ? 1 : 0)

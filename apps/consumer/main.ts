/**
 * @file The packages as a stranger meets them: released to a registry on this machine, installed from
 * there in empty folders outside the workspace, and used. Arguments choose scenarios by name.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareEnvironment } from '@ao/webgpu-driver'
import { CommandError, stopAll } from './harness/command.ts'
import { publishAll } from './harness/publish.ts'
import { startRegistry } from './harness/registry.ts'
import { outcomeText, time } from './harness/report.ts'
import { runScenarios } from './harness/scenario.ts'
import { SCENARIOS } from './scenarios/index.ts'

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => SCENARIOS.every((scenario) => scenario.name !== name))
if (unknown.length > 0) {
  const names = SCENARIOS.map(({ name }) => name).join(', ')
  console.error(`Expected names of scenarios (${names}), got ${unknown.join(', ')}.`)
  process.exit(2)
}

const scratch = mkdtempSync(join(tmpdir(), 'ao-consumer-'))
// Where the tools that run here put theirs.
process.env['TMPDIR'] = join(scratch, 'tmp')
process.on('exit', () => {
  stopAll()
  // Again where a process that was just stopped still wrote something.
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1))
}

console.log(prepareEnvironment())
console.log('Releasing every package to a registry on this machine ...')
const start = performance.now()
const seconds = (): number => (performance.now() - start) / 1000
for (const folder of ['registry', 'tmp']) await mkdir(join(scratch, folder))
const registry = await startRegistry(join(scratch, 'registry'))
const failed = await runAll().catch((error: unknown) => {
  console.error(error instanceof CommandError ? error.message : error)
  return ['release']
})
registry.close()
const verdict = failed.length > 0 ? `What fails: ${failed.join(', ')}.` : 'All pass.'
console.log(`\n${verdict} Done in ${seconds().toFixed(0)} s.`)
process.exit(failed.length > 0 ? 1 : 0)

/** Releases the packages and runs the scenarios; gives the names of those that fail. */
async function runAll(): Promise<string[]> {
  const packages = await publishAll(scratch, registry)
  const versions = [...new Set(packages.map(({ version }) => version))].join(', ')
  console.log(`${packages.length} packages released as ${versions}:${time(seconds())}\n`)
  const scenarios = SCENARIOS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
  const failed: string[] = []
  await runScenarios(scenarios, { scratch, registry, packages }, (outcome) => {
    console.log(outcomeText(outcome))
    if (outcome.failure) failed.push(outcome.name)
  })
  return failed
}

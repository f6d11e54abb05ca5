/** @file A format of somebody else, written from docs/adding-a-format.md: its tests on what was released. */
import { readFile } from 'node:fs/promises'
import type { App } from '../harness/app.ts'
import { expectEqual } from '../harness/expect.ts'
import type { Scenario } from '../harness/scenario.ts'

const FOLDER = '../own-format'

/** What vitest's JSON reporter says of a run. */
interface TestReport {
  readonly numTotalTests: number
  readonly numPassedTests: number
}

export const ownFormat: Scenario = {
  name: 'own-format',
  run: async ({ app, step }) => {
    const home = await app(FOLDER)
    await step('npm install', async () => {
      await home.npm('install')
      return `${home.installed().length} packages`
    })
    await step('tsc', async () => {
      await home.bin('tsc', '--noEmit')
      return 'no errors'
    })
    await step('passes the conformance kit', () => runTests(home, 'tensor'))
    await step('in quantize_ and in files', () => runTests(home, 'model'))
    await step('a WGSL kernel of its own', () => runTests(home, 'webgpu'))
  },
}

/** Runs a file of tests, all of which must pass. */
async function runTests(app: App, name: string): Promise<string> {
  const reporters = ['--reporter=default', '--reporter=json', '--outputFile.json=report.json']
  await app.bin('vitest', 'run', `test/${name}.test.ts`, ...reporters)
  const report = await readFile(app.path('report.json'), 'utf8')
  const { numTotalTests, numPassedTests } = JSON.parse(report) as TestReport
  return expectEqual(numPassedTests, numTotalTests, `${numTotalTests} tests`)
}

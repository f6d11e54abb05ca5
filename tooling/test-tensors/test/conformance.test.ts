import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FAULTY_FORMATS } from './faults/faulty-formats.ts'

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[]
      readonly title: string
      readonly status: 'passed' | 'failed'
    }[]
  }[]
}

interface Outcome {
  readonly name: string
  readonly failed: boolean
}

/** Runs the kit's tests on every format of `faults/`: what came of each test, by fault. */
async function runSuite(): Promise<Map<string, Outcome[]>> {
  const { testResults } = JSON.parse(await vitestJson()) as Report
  const outcomes = new Map<string, Outcome[]>()
  for (const { assertionResults } of testResults) {
    for (const { ancestorTitles, title, status } of assertionResults) {
      const fault = (ancestorTitles[0] as string).replace('fault: ', '')
      const list = outcomes.get(fault) ?? []
      outcomes.set(fault, [...list, { name: title, failed: status === 'failed' }])
    }
  }
  return outcomes
}

/** Most of these tests must fail, so another vitest runs them. */
function vitestJson(): Promise<string> {
  const folder = dirname(createRequire(import.meta.url).resolve('vitest/package.json'))
  const root = fileURLToPath(new URL('faults', import.meta.url))
  const args = [join(folder, 'vitest.mjs'), 'run', '--root', root, '--reporter', 'json', '--silent']
  return new Promise((resolve) => {
    execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (_, stdout) => resolve(stdout))
  })
}

const outcomes = await runSuite()
const failedTests = (list: readonly Outcome[] = []): string[] =>
  list.filter(({ failed }) => failed).map(({ name }) => name)

describe('testFormat of @ao/test-kit', () => {
  it('passes a format that is right', () => {
    expect(outcomes.get('none')?.length).toBeGreaterThan(15)
    expect(failedTests(outcomes.get('none'))).toEqual([])
  })

  it.each(FAULTY_FORMATS)('notices a format that $fault', ({ fault, noticedBy }) => {
    const names = failedTests(outcomes.get(fault))
    expect(names.filter((name) => name.startsWith(noticedBy))).not.toEqual([])
  })

  it('has no test that no fault fails', () => {
    const noticed = new Set([...outcomes.values()].flatMap(failedTests))
    const names = (outcomes.get('none') ?? []).map(({ name }) => name)
    expect(names.filter((name) => !noticed.has(name))).toEqual([])
  })
})

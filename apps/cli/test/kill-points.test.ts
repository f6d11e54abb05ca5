/** @file `ao quantize`, killed at every change that it makes while it puts its files in place. */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bundleAo,
  makeScenario,
  run,
  runHooked,
  SCENARIOS,
  scratchFolder,
} from './faults/scenarios.ts'

const root = scratchFolder()
afterAll(() => rmSync(root, { recursive: true }), 60_000)
let main = ''
beforeAll(async () => {
  main = await bundleAo(root)
}, 120_000)

describe.each(SCENARIOS)('%i files, then %i', (older, newer) => {
  it('are the older ones, the newer ones, or refused and then completed', async () => {
    const { argv, prepare, state } = await makeScenario(root, older, newer)
    const trace = join(root, `trace-${older}-${newer}`)
    expect(await runHooked(main, argv(prepare()), { TRACE: trace })).toBe('0')
    const changes = readFileSync(trace, 'utf8').trimEnd().split('\n')
    // The lock is taken when the run begins, and when it puts its files in place.
    const first = changes.findLastIndex((change) => /^open .*\.ao-lock$/.test(change))
    expect(changes.length - first).toBeGreaterThan(20)

    const seen = new Set<string>()
    const kill = async (at: number): Promise<void> => {
      const out = prepare()
      expect(await runHooked(main, argv(out), { KILL_AT: String(at) })).toBe('SIGKILL')
      const found = existsSync(out) ? await state(out) : 'older'
      const isUnfinished = found instanceof Error && found.message.includes('`ao merge <folder>`')
      if (found instanceof Error && !isUnfinished) {
        expect(older).toBe(0)
        expect(found.message).toContain('Expected model.safetensors or model.safetensors.index')
      }
      seen.add(isUnfinished ? 'unfinished' : String(found))
      await run(isUnfinished && at % 2 === 0 ? ['merge', out] : argv(out))
      expect(await state(out), `after change ${at}: ${changes[at - 1]}`).toBe('newer')
      expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([])
      rmSync(out, { recursive: true })
    }
    const points = changes.map((_, i) => i + 1).slice(first)
    // Each process waits for the disk most of the time.
    const worker = async (): Promise<void> => {
      for (let at = points.shift(); at !== undefined; at = points.shift()) await kill(at)
    }
    await Promise.all([worker(), worker(), worker()])
    expect(seen).toContain('unfinished')
    expect(seen).toContain('newer')
    if (older > 0) expect(seen).toContain('older')
  }, 300_000)
})

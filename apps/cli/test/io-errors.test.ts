/** @file `ao quantize` where the disk fails at any one change. */

import { readdirSync, rmSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { watchChanges } from './faults/hook.mjs'
import { makeScenario, run, SCENARIOS, scratchFolder } from './faults/scenarios.ts'
import { ao } from './run-cli.ts'

const root = scratchFolder()
afterAll(() => rmSync(root, { recursive: true }), 60_000)

const FAULTS = [
  ['EIO', 'i/o error'],
  ['ENOSPC', 'no space left on device'],
  ['EDQUOT', 'disk quota exceeded'],
  ['EROFS', 'read-only file system'],
] as const

describe.each(SCENARIOS)('%i files, then %i', (older, newer) => {
  it('are the older ones, the newer ones, or refused and then completed', async () => {
    const { argv, prepare, state } = await makeScenario(root, older, newer)
    let isOver = false
    for (let at = 1; !isOver; at++) {
      const out = prepare()
      const [code, text] = FAULTS[at % FAULTS.length] as (typeof FAULTS)[number]
      let count = 0
      let failed = ''
      const stop = await watchChanges((what) => {
        if (++count !== at) return
        failed = what
        throw Object.assign(new Error(`${code}: ${text}, ${what}`), { code, syscall: what })
      })
      const result = await ao(argv(out)).finally(stop)
      isOver = failed === ''
      const where = `${code} at change ${at}, ${failed}: ${result.stderr}`
      const found = await state(out)
      if (result.code === 0) {
        expect(found, where).toBe('newer')
      } else {
        expect(result.code, where).toBe(1)
        expect(result.stderr, where).toContain(code)
        expect(result.stderr, where).not.toContain('foresaw')
        // What to do: a sentence after the reason.
        expect(result.stderr.trimEnd(), where).toMatch(/\. [A-Z].*\.$/)
        if (found instanceof Error && older > 0) {
          expect(found.message, where).toContain('`ao merge <folder>`')
          expect(result.stderr, where).toContain(`ao merge ${out}`)
          await run(['merge', out])
          expect(await state(out), where).toBe('newer')
        }
      }
      await run(argv(out))
      expect(await state(out), where).toBe('newer')
      expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([])
      rmSync(out, { recursive: true })
    }
  }, 300_000)
})

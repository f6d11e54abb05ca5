/** @file Models of many families that torchao quantized: they open, give its logits and its greedy tokens. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readFloat32 } from '@ao/base-tensor'
import { allFamilies, AutoModelForCausalLM } from '@ao/causal-lm'
import { openSafetensors } from '@ao/safetensors'
import { directory, fileSource } from '@ao/safetensors/node'
import { sharedPath } from '@ao/test-data'
import { torchFiles } from '@ao/torch-files'
import { describe, expect, it } from 'vitest'
import { FORMATS } from '../src/formats.ts'

const shared = sharedPath('reference')

const folders = (kind: string): string[] =>
  shared ? readdirSync(join(shared, kind)).map((name) => `${kind}/${name}`) : []

/** How far logits in bfloat16 may be from those of a GPU: normalised mean squares. */
const budgetOf = (name: string): number => (/dyn|8da4w/.test(name) ? 5e-3 : 1e-3)

/** The largest of a row of logits, and how far it is above the next one. */
function best(row: Float32Array): { readonly id: number; readonly margin: number } {
  const [first = 0, second = 0] = Array.from(row.keys()).sort(
    (a, b) => (row[b] as number) - (row[a] as number),
  )
  return { id: first, margin: (row[first] as number) - (row[second] as number) }
}

describe.skipIf(!shared)('models of torchao (skipped: need ../shared/reference)', () => {
  it.each([...folders('quantized'), ...folders('bin')])('%s', async (name) => {
    const path = join(shared as string, name)
    const model = await AutoModelForCausalLM.fromPretrained(directory(path), {
      families: allFamilies,
      ...{ formats: FORMATS, fileKinds: [torchFiles], dtype: 'bfloat16' },
    })
    const { ids } = JSON.parse(readFileSync(join(path, 'io.json'), 'utf8')) as { ids: number[] }
    const file = await openSafetensors(await fileSource(join(path, 'io.safetensors')))
    const expected = await readFloat32(await file.read('logits'))
    await file.close()
    const logits = await readFloat32(model.forward(ids))
    expect(logits).toHaveLength(expected.length)
    const squares = (numbers: Float32Array): number => numbers.reduce((sum, x) => sum + x * x, 0)
    const differences = expected.map((x, i) => x - (logits[i] as number))
    expect(squares(differences) / squares(expected)).toBeLessThan(budgetOf(name))
    const width = model.config.vocabSize
    const worst = Math.max(...differences.map(Math.abs))
    for (let i = 0; i < ids.length; i++) {
      const theirs = best(expected.subarray(i * width, (i + 1) * width))
      if (theirs.margin <= 2 * worst) continue
      expect(best(logits.subarray(i * width, (i + 1) * width)).id).toBe(theirs.id)
    }
  })
})

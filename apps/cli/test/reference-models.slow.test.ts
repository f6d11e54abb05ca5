/** @file Models that torchao quantized, on the GPU, in both dtypes. Their logits are those of bfloat16. */

import { join } from 'node:path'
import type { FloatDType } from '@ao/base-tensor'
import { sharedPath } from '@ao/test-data'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { afterAll, describe, expect, it } from 'vitest'
import { logitsNmse, referenceDevice } from './reference-logits.ts'

const shared = sharedPath('reference/quantized')
const gpu = await testGPU()
const DTYPES: readonly FloatDType[] = ['float32', 'bfloat16']

/** Folders, and how far logits may be. Inputs that are float8 end up a step apart where sums round in bfloat16. */
const MODELS: readonly (readonly [name: string, nmse: number])[] = [
  ['llama-8da4w', 5e-3],
  ['llama-8da4w-embed8', 5e-3],
  ['llama-intx-int2', 1e-3],
  ['llama-intx-int3-asym', 1e-3],
  ['llama-fp8wo', 1e-3],
  ['llama-fp8dyn-row', 1e-2],
]

describe.skipIf(!shared || !gpu)(
  'models of torchao on the GPU (skipped: need ../shared/reference and an adapter)',
  async () => {
    const device = shared && gpu ? await referenceDevice(gpu) : undefined
    afterAll(() => device?.destroy())

    it.each(MODELS)('%s gives the logits of torchao', { timeout: 600_000 }, async (name, nmse) => {
      for (const dtype of DTYPES) {
        const error = await logitsNmse(join(shared as string, name), device!, dtype)
        expect(error, dtype).toBeLessThan(nmse)
      }
    })
  },
)

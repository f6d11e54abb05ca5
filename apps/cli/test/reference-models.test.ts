/** @file Models that torchao quantized: they open, give its logits, and are quantized again to its bits. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cpu, hostArray, type TensorSubclass } from '@ao/base-tensor'
import { configFromJson, weightTransform } from '@ao/quantize'
import { openCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { sharedPath } from '@ao/test-data'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { CONFIGS, FORMATS } from '../src/formats.ts'
import { logitsNmse, referenceDevice } from './reference-logits.ts'

/** Folders, and how far logits may be: normalised mean squares. */
const MODELS: readonly (readonly [name: string, nmse: number])[] = [
  ['llama-fp8wo', 1e-3],
  ['llama-fp8dyn-row', 5e-3],
]
const shared = sharedPath('reference/quantized')
const base = join(shared ?? '', '../base/llama')
const gpu = await testGPU()

describe.skipIf(!shared)('models of torchao (skipped: need ../shared/reference)', () => {
  it.each(MODELS)('%s gives the logits of torchao', async (name, nmse) => {
    expect(await logitsNmse(join(shared as string, name), cpu)).toBeLessThan(nmse)
  })

  it.skipIf(!gpu).each([...MODELS, ['llama-8da4w-embed8', 5e-3] as const])(
    '%s gives them on the GPU',
    { timeout: 240_000 },
    async (name, nmse) => {
      const device = await referenceDevice(gpu as GPU)
      expect(await logitsNmse(join(shared as string, name), device)).toBeLessThan(nmse)
      device.destroy()
    },
  )

  it.each(MODELS)('%s is made again to the bit', async (name) => {
    const path = join(shared as string, name)
    const { quantization_config: stored } = JSON.parse(
      readFileSync(join(path, 'config.json'), 'utf8'),
    ) as any
    const config = configFromJson(stored.quant_type.default, { configs: CONFIGS, formats: FORMATS })
    const transform = weightTransform(config)
    const [original, quantized] = [
      await openCheckpoint(directory(base)),
      await openCheckpoint(directory(path)),
    ]
    let count = 0
    for (const tensorName of quantized.names) {
      if (quantized.info(tensorName).format === 'Tensor') continue
      count++
      const theirs = (await quantized.read(tensorName, { formats: FORMATS })) as TensorSubclass
      const own = (await transform(tensorName, await original.read(tensorName))) as TensorSubclass
      const [a, b] = [own.flatten(), theirs.flatten()]
      expect(a.attributes).toEqual(b.attributes)
      for (const [part, tensor] of Object.entries(b.tensors)) {
        expect(hostArray(a.tensors[part] as never), `${part} of ${tensorName}`).toEqual(
          hostArray(tensor),
        )
      }
    }
    expect(count).toBe(14)
  })
})

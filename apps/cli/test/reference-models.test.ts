/** @file Models that torchao quantized: they open, give its logits, and are quantized again to its bits. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cpu, hostArray, readFloat32, type Device, type TensorSubclass } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { LlamaForCausalLM } from '@ao/llama'
import { webgpuKernels as llamaKernels } from '@ao/llama/webgpu'
import { webgpuKernels as float8Kernels } from '@ao/float8/webgpu'
import { configFromJson, weightTransform } from '@ao/quantize'
import { openCheckpoint, openSafetensors } from '@ao/safetensors'
import { directory, fileSource } from '@ao/safetensors/node'
import { sharedPath } from '@ao/test-data'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { CONFIGS, FORMATS } from '../src/formats.ts'

/** Folders, and how far logits may be: normalised mean squares. */
const MODELS: readonly (readonly [name: string, nmse: number])[] = [
  ['llama-fp8wo', 1e-3],
  ['llama-fp8dyn-row', 6e-3],
]
const shared = sharedPath('reference/quantized')
const base = join(shared ?? '', '../base/llama')
const gpu = await testGPU()

async function nmseOf(name: string, device: Device): Promise<number> {
  const path = join(shared as string, name)
  const model = await LlamaForCausalLM.fromPretrained(directory(path), {
    ...{ formats: FORMATS, dtype: 'bfloat16', device },
  })
  const { ids } = JSON.parse(readFileSync(join(path, 'io.json'), 'utf8')) as { ids: number[] }
  const file = await openSafetensors(await fileSource(join(path, 'io.safetensors')))
  const expected = await readFloat32(await file.read('logits'))
  await file.close()
  const logits = await readFloat32(model.forward(ids))
  expect(logits).toHaveLength(expected.length)
  const squares = (numbers: Float32Array): number => numbers.reduce((sum, x) => sum + x * x, 0)
  return squares(expected.map((x, i) => x - (logits[i] as number))) / squares(expected)
}

describe.skipIf(!shared)('models of torchao (skipped: need ../shared/reference)', () => {
  it.each(MODELS)('%s gives the logits of torchao', async (name, nmse) => {
    expect(await nmseOf(name, cpu)).toBeLessThan(nmse)
  })

  it.skipIf(!gpu).each(MODELS)(
    '%s gives them on the GPU',
    { timeout: 240_000 },
    async (name, nmse) => {
      const kernels = [denseKernels, float8Kernels, llamaKernels]
      const device = await WebGPUDevice.create({ gpu: gpu as GPU, kernels })
      expect(await nmseOf(name, device)).toBeLessThan(nmse)
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

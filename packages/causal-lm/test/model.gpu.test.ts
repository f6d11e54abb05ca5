/** @file Models on WebGPU: soft caps and windows; experts, dense and quantized, step by step. */

import { hostFloat32, isTensorSubclass, readFloat32, type Tensor } from '@ao/base-tensor'
import { webgpuKernels } from '@ao/causal-lm/webgpu'
import { Int8Tensor } from '@ao/int8'
import { webgpuKernels as int8Kernels } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { PerRow } from '@ao/granularity'
import { goldenPath } from '@ao/test-data'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { randomModel, TINY } from './random-model.ts'
import { loadModel, nmseOf, readReference } from './reference.ts'

const gpu = await testGPU()
const kernels = [denseKernels, webgpuKernels, int8Kernels]
const device = (gpu && (await WebGPUDevice.create({ gpu, kernels }))) as WebGPUDevice

const IDS = [3, 14, 15, 9, 26]
const MIXTURE = { model_type: 'mixtral', ...TINY, hidden_size: 32, num_local_experts: 5 }

async function generated(model: {
  generate: (ids: number[], options: object) => AsyncIterable<number>
}): Promise<number[]> {
  const tokens: number[] = []
  for await (const id of model.generate(IDS, { maxNewTokens: 6, stopIds: [] })) tokens.push(id)
  return tokens
}

describe.skipIf(!gpu)('on WebGPU', () => {
  it('Gemma 2 gives the logits of transformers', { timeout: 120_000 }, async () => {
    const path = goldenPath('causal-lm/gemma2')
    const model = await loadModel(path, { device })
    const { ids, logits } = await readReference(path)
    expect(await nmseOf(model.forward(ids), logits)).toBeLessThan(1e-6)
  })

  it.each([false, true])('experts, quantized: %s', { timeout: 240_000 }, async (isQuantized) => {
    const model = randomModel(MIXTURE)
    const quantized = (name: string, tensor: Tensor): Tensor =>
      isQuantized && /experts\./.test(name)
        ? Int8Tensor.fromHp(tensor, { granularity: PerRow() })
        : tensor
    const weights = [...model.stateDict()].map(([name, t]) => [name, quantized(name, t)] as const)
    expect(weights.filter(([, t]) => isTensorSubclass(t))).toHaveLength(isQuantized ? 4 : 0)
    model.loadStateDict(new Map(weights))
    const expected = hostFloat32(model.forward(IDS))
    const tokens = await generated(model)
    await model.to(device)
    expect(await nmseOf(model.forward(IDS), expected)).toBeLessThan(1e-6)
    expect(await generated(model)).toEqual(tokens)
    expect(await readFloat32(model.forward([1]))).toHaveLength(TINY['vocab_size'] as number)
  })
})

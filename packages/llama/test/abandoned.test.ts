/** @file Generations that are left without `return()`: their memory comes back. */

import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels } from '@ao/llama/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type GenerateOptions } from '@ao/text-generation'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, randomWeights, TINY } from './checkpoints.ts'

const gpu = await testGPU()
const folder = checkpointFolder(TINY, randomWeights(TINY))
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

describe.skipIf(!gpu)('generations that nobody goes on with', () => {
  it.each<[string, GenerateOptions]>([
    ['greedy', {}],
    ['drawn', { temperature: 1, topP: 0.9 }],
  ])('give their memory back: %s', async (_name, options) => {
    const kernels = [denseKernels, webgpuKernels]
    const device = await WebGPUDevice.create({ gpu: gpu as GPU, kernels })
    const model = await LlamaForCausalLM.fromPretrained(folder, { device })
    const all = { maxNewTokens: 20, stopIds: [], ...options }
    for await (const id of model.generate([1, 2], all)) expect(id).toBeGreaterThanOrEqual(0)
    const { used } = device.memory
    const leave = async (): Promise<void> => {
      const ids = model.generate([1, 2], all)
      await ids.next()
      await ids.next()
    }
    for (let i = 0; i < 5; i++) await leave()
    expect(device.memory.used).toBeGreaterThan(used)
    for (let i = 0; i < 100 && device.memory.used > used; i++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(device.memory.used).toBe(used)
    device.destroy()
  })
})

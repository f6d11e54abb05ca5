/** @file Thousands of decode steps on the GPU: one submission each, in memory that stays. */

import { freeTensor, readFloat32 } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels } from '@ao/llama/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, randomWeights, TINY } from './checkpoints.ts'

const gpu = await testGPU()
const CONFIG = { ...TINY, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1 }
const kernels = [denseKernels, webgpuKernels]

it.skipIf(!gpu)('takes one submission for each of 2,000 steps, and no more memory', async () => {
  const device = await WebGPUDevice.create({ gpu: gpu as GPU, kernels })
  const folder = checkpointFolder(CONFIG, randomWeights(CONFIG))
  const model = await LlamaForCausalLM.fromPretrained(folder, { device })
  const cache = model.createCache(32)
  await readFloat32(model.forward([3], cache, 1))
  const soak = async (steps: number): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      freeTensor(model.forward([step % 8], cache, 1))
      await device.flush()
      if (cache.length > 20) cache.truncate(5)
    }
    await device.finish()
  }
  await soak(50)
  const { memory, submissions } = device
  await soak(2000)
  expect(device.submissions - submissions).toBe(2000)
  expect(device.memory.used + device.memory.pooled).toBe(memory.used + memory.pooled)
  device.destroy()
})

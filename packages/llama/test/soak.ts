/** @file Many decode steps on the GPU: one submission each, in memory that stays. */

import { freeTensor, readFloat32 } from '@ao/base-tensor'
import type { WebGPUDevice } from '@ao/kernels-webgpu'
import { expect } from 'vitest'
import type { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'

export async function expectSteadySteps(
  device: WebGPUDevice,
  model: LlamaForCausalLM,
  steps: number,
): Promise<void> {
  const cache = model.createCache(64)
  await readFloat32(model.forward([3], cache, 1))
  const soak = async (count: number): Promise<void> => {
    for (let step = 0; step < count; step++) {
      freeTensor(model.forward([step % 8], cache, 1))
      await device.flush()
      if (cache.length > 20) cache.truncate(5)
    }
    await device.finish()
  }
  await soak(50)
  const { memory, submissions } = device
  await soak(steps)
  expect(device.submissions - submissions).toBe(steps)
  const { used, pooled } = device.memory
  expect(used + pooled).toBe(memory.used + memory.pooled)
}

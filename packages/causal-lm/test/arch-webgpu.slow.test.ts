/** @file Families on WebGPU: what each does differently, beyond the window, and step by step. */

import { join } from 'node:path'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels } from '@ao/causal-lm/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { loadModel, nmseOf, readReference, shared } from './reference.ts'

const gpu = await testGPU()
const device = (gpu &&
  (await WebGPUDevice.create({ gpu, kernels: [denseKernels, webgpuKernels] }))) as WebGPUDevice

const MODELS = [
  ...['llama-bias', 'llama-linear', 'llama-llama3-rope', 'llama-yarn', 'mistral', 'mixtral'],
  ...['qwen2', 'qwen2-tied', 'qwen3', 'qwen3-moe', 'phi3', 'phi3-longrope', 'gemma2', 'gemma3'],
  ...['smollm3', 'olmo2', 'granite', 'gpt2', 'gpt-oss', 'lfm2'],
]

describe.skipIf(!gpu || !shared)('families on WebGPU (skipped: need ../shared/reference)', () => {
  it.each(MODELS)('%s', { timeout: 240_000 }, async (name) => {
    const path = join(shared as string, 'arch', name)
    const model = await loadModel(path, { device })
    const { ids, greedy, logits } = await readReference(path)
    expect(await nmseOf(model.forward(ids), logits)).toBeLessThan(1e-6)
    // From 13 tokens on: longrope reads them again at 17.
    const tokens = ids.slice(0, 13)
    const next = model.generate(tokens, { maxNewTokens: 8, stopIds: [] })
    const onCpu = (await loadModel(path)).generate(tokens, { maxNewTokens: 8, stopIds: [] })
    const [here, there]: number[][] = [[], []]
    for await (const id of next) there?.push(id)
    for await (const id of onCpu) here?.push(id)
    expect(there).toEqual(here)
    expect(greedy.slice(0, ids.length)).toEqual(ids)
  })
})

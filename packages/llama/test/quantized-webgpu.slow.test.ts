/** @file The trained model, quantized on the GPU and run there, against the CPU. */

import {
  freeTensor,
  cpu,
  isTensorSubclass,
  readFloat32,
  type QuantizationConfig,
  type TensorSubclass,
} from '@ao/base-tensor'
import { Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig } from '@ao/int8'
import { webgpuKernels as int8Kernels } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels } from '@ao/llama/webgpu'
import { quantize_ } from '@ao/quantize'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { perplexity } from '@ao/text-generation'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { folder, reference } from './stories-4m.ts'

const gpu = await testGPU()
const kernels = [denseKernels, webgpuKernels, int8Kernels]
// One for all: programs are compiled once, which is most of the time in software.
const device = (gpu && (await WebGPUDevice.create({ gpu, kernels }))) as WebGPUDevice
const text = reference.greedy['float32']?.slice(0, 17) as number[]

describe.skipIf(!gpu)('the trained model on the GPU', () => {
  it.each<[string, QuantizationConfig | undefined]>([
    ['float32', undefined],
    ['int8_weight_only', new Int8WeightOnlyConfig()],
    ['int8_dynamic', new Int8DynamicActivationInt8WeightConfig()],
  ])(
    'predicts as well as on the CPU: %s',
    async (_name, config) => {
      const [model, host] = [
        await LlamaForCausalLM.fromPretrained(folder, { device }),
        await LlamaForCausalLM.fromPretrained(folder),
      ]
      if (config) {
        const before = device.memory.used
        await quantize_(model, config)
        await quantize_(host, config)
        expect(device.memory.used).toBeLessThan(before * 0.5)
        const name = 'model.layers.1.mlp.down_proj.weight'
        const [there, here] = [model, host].map(
          (each) => each.stateDict().get(name) as TensorSubclass,
        )
        expect(isTensorSubclass(there)).toBe(true)
        expect((await there?.to(cpu))?.dequantize()).toEqual(here?.dequantize())
      }
      const [cache, hostCache] = [model.createCache(), host.createCache()]
      const result = await perplexity({ forward: (ids) => model.forward(ids, cache) }, text)
      const expected = await perplexity({ forward: (ids) => host.forward(ids, hostCache) }, text)
      expect(Math.abs(result.perplexity - expected.perplexity)).toBeLessThan(0.03)
      const [next, expectedNext] = await Promise.all([
        readFloat32(model.forward([7], cache)),
        readFloat32(host.forward([7], hostCache)),
      ])
      expect(next.indexOf(Math.max(...next))).toBe(expectedNext.indexOf(Math.max(...expectedNext)))
      for (const [, parameter] of model.namedParameters()) freeTensor(parameter)
      cache.dispose()
    },
    240_000,
  )
})

/** @file A model whose layers have every format, quantized on the GPU and run there, against the CPU. */

import { cpu, readFloat32 } from '@ao/base-tensor'
import { Int4Tensor } from '@ao/int4'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { webgpuKernels as plainInt32Kernels } from '@ao/int4-plain-int32/webgpu'
import { Int4PreshuffledTensor } from '@ao/int4-preshuffled'
import { webgpuKernels as preshuffledKernels } from '@ao/int4-preshuffled/webgpu'
import { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'
import { webgpuKernels as tilePackedKernels } from '@ao/int4-tile-packed-to-4d/webgpu'
import { webgpuKernels as int4Kernels } from '@ao/int4/webgpu'
import { Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig } from '@ao/int8'
import { webgpuKernels as int8Kernels } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { LlamaForCausalLM, parseLlamaConfig } from '@ao/llama'
import { webgpuKernels as llamaKernels } from '@ao/llama/webgpu'
import { webgpuKernels as quantizeKernels } from '@ao/quant-primitives/webgpu'
import { FqnToConfig, Int4WeightOnlyConfig, quantize_ } from '@ao/quantize'
import type { Int4WeightOnlyOptions } from '@ao/quantize'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { randomLike } from '../src/random-tensors.ts'

const gpu = await testGPU()
const kernels = [
  ...[denseKernels, llamaKernels, quantizeKernels, int8Kernels, int4Kernels],
  ...[plainInt32Kernels, preshuffledKernels, tilePackedKernels],
]
const config = parseLlamaConfig({
  model_type: 'llama',
  ...{ vocab_size: 64, hidden_size: 64, intermediate_size: 64, num_hidden_layers: 1 },
  ...{ num_attention_heads: 4, num_key_value_heads: 4, max_position_embeddings: 64 },
})
const int4 = (packingFormat: Int4WeightOnlyOptions['packingFormat']): Int4WeightOnlyConfig =>
  new Int4WeightOnlyConfig({ groupSize: 32, packingFormat })
const layers = new FqnToConfig({
  're:.*q_proj': new Int8WeightOnlyConfig(),
  're:.*k_proj': new Int8DynamicActivationInt8WeightConfig(),
  're:.*v_proj': int4(Int4Tensor),
  're:.*o_proj': int4(Int4PlainInt32Tensor),
  're:.*up_proj': int4(Int4PreshuffledTensor),
  're:.*down_proj': int4(Int4TilePackedTo4dTensor),
})

async function randomModel(device?: WebGPUDevice): Promise<LlamaForCausalLM> {
  const model = new LlamaForCausalLM(config, { dtype: 'bfloat16' })
  let seed = 1
  for (const [name, parameter] of [...model.namedParameters()]) {
    const dot = name.lastIndexOf('.')
    const tensor = randomLike(parameter, cpu, seed++)
    model.getSubmodule(name.slice(0, dot)).setParameter(name.slice(dot + 1), tensor)
  }
  if (device) await model.to(device)
  const { quantized } = await quantize_(model, layers)
  expect(quantized).toHaveLength(6)
  return model
}

describe.skipIf(!gpu)('a model of all formats', () => {
  it('has the logits of the CPU, for a prompt and for tokens after it', async () => {
    const device = await WebGPUDevice.create({ gpu: gpu as GPU, kernels })
    const [model, host] = [await randomModel(device), await randomModel()]
    const [cache, hostCache] = [model.createCache(8), host.createCache(8)]
    for (const ids of [[3, 36, 9, 12], [1], [60]]) {
      const logits = await readFloat32(model.forward(ids, cache))
      const expected = await readFloat32(host.forward(ids, hostCache))
      const largest = Math.max(...expected.map(Math.abs))
      logits.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] as number))).toBeLessThan(0.02 * largest)
      })
    }
    const options = { maxNewTokens: 5, stopIds: [] }
    let tokens = 0
    for await (const _ of model.generate([1, 2], options)) tokens++
    expect(tokens).toBe(5)
    device.destroy()
  })
})

/** @file Static activation scales: how many tokens they serve, and where they are. */

import { fromFloat32, numelOf, readFloat32, tensor, type DenseTensor } from '@ao/base-tensor'
import { PerRow, PerTensor } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels as quantizeKernels } from '@ao/quant-primitives/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  Int8StaticActivationInt8WeightConfig,
  Int8Tensor,
  linear,
  QuantizeTensorToInt8Kwargs,
} from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
const kernels = [denseKernels, quantizeKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))

function numbers(shape: readonly number[]): DenseTensor {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => Math.sin(i * 12.9))
  return fromFloat32(values, shape, 'float32')
}

describe.skipIf(!device)('static activation scales', () => {
  const on = device as WebGPUDevice
  const x = numbers([3, 32])

  it.each([
    ['per row', PerRow()],
    ['per tensor', PerTensor()],
  ])('of one element serve any number of tokens, %s', async (_name, granularity) => {
    const config = new Int8StaticActivationInt8WeightConfig({
      actQuantScale: tensor([0.02]),
      granularity,
    })
    const weight = config.quantizeTensor(numbers([6, 32]), { name: 'w' }) as Int8Tensor
    const y = await readFloat32(linear(x, weight))
    const rows = [0, 1, 2].map((row) => readFloat32(linear(x.narrow(0, row, 1), weight)))
    expect([...y]).toEqual((await Promise.all(rows)).flatMap((row) => [...row]))
    expect(linear(numbers([0, 32]), weight).shape).toEqual([0, 6])
    const there = await readFloat32(linear(await x.to(on), await weight.to(on)))
    there.forEach((value, i) => expect(value).toBeCloseTo(y[i] as number, 4))
    expect(linear(await numbers([0, 32]).to(on), await weight.to(on)).shape).toEqual([0, 6])
  })

  it('come to the device that the weight is quantized on', async () => {
    const options = {
      granularity: PerTensor(),
      actQuantKwargs: QuantizeTensorToInt8Kwargs({
        granularity: PerTensor(),
        mappingType: 'ASYMMETRIC',
      }),
      actQuantScale: tensor([0.02]),
      actQuantZeroPoint: tensor([3], { dtype: 'int8' }),
      actPreScale: numbers([32]),
    } as const
    const here = Int8Tensor.fromHp(numbers([6, 32]), options)
    const there = Int8Tensor.fromHp(await numbers([6, 32]).to(on), options)
    for (const part of Object.values(there.flatten().tensors)) expect(part.device).toBe(on)
    const expected = await readFloat32(linear(x, here))
    const got = await readFloat32(linear(await x.to(on), there))
    got.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 4))
  })
})

/** @file Scales, codes and numbers of float8 on the GPU: the bits of the CPU. */

import {
  fromFloat32,
  numelOf,
  tensor,
  type Float8DType,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import {
  chooseScaleFloat8,
  dequantizeAffineFloat8,
  fakeQuantizeAffineFloat8,
  quantizeAffineFloat8,
  type Float8ScaleOptions,
} from '@ao/quant-primitives'
import { float8Kernels } from '@ao/quantized-linear/webgpu'
import { loadSpecGolden, toNumbers } from '@ao/test-data'
import { golden } from '@ao/test-tensors'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()
const device = gpu && (await WebGPUDevice.create({ gpu, kernels: [denseKernels, float8Kernels] }))

/** All four ops on the same input, each from what the CPU gave for the one before. */
async function expectSame(
  x: Tensor,
  block: readonly number[],
  float8: Float8DType,
  options: Float8ScaleOptions = {},
): Promise<void> {
  const on = device as WebGPUDevice
  const scale = chooseScaleFloat8(x, block, float8, options)
  const codes = quantizeAffineFloat8(x, scale, float8, options)
  await expectReference(on, chooseScaleFloat8, [x, block, float8, options])
  await expectReference(on, quantizeAffineFloat8, [x, scale, float8, options])
  await expectReference(on, dequantizeAffineFloat8, [codes, scale, x.dtype as FloatDType, options])
  await expectReference(on, fakeQuantizeAffineFloat8, [x, block, float8, options])
}

function numbers(shape: readonly number[], dtype: FloatDType, peak: number = 1): Tensor {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => Math.sin(i * 12.9) * peak)
  return fromFloat32(values, shape, dtype)
}

describe.skipIf(!device)('float8 on the GPU', () => {
  const cases = golden('primitives_float8').filter(({ op }) => op === 'float8')
  it.each(cases)('golden $name', async ({ args, inputs }) =>
    expectSame(inputs['x'] as Tensor, args['block_size'], args['float8_dtype'], { finite: true }),
  )

  it('takes bounds of magnitudes', async () => {
    const bounded = loadSpecGolden('float8').filter((c) => c['hp_value_ub'] ?? c['hp_value_lb'])
    expect(bounded.length).toBeGreaterThan(3)
    for (const c of bounded.filter((_, i) => i % 3 === 0)) {
      await expectSame(
        tensor(toNumbers(c['input']), { dtype: c['dtype'] }),
        c['block_size'],
        c['float8'],
        {
          hpValueLb: c['hp_value_lb'] ?? undefined,
          hpValueUb: c['hp_value_ub'] ?? undefined,
        },
      )
    }
  })

  it.each([
    ['a tensor in many parts', [40, 2048], [40, 2048]],
    ['blocks of two dimensions', [8, 12], [4, 3]],
    ['blocks of experts', [3, 8, 12], [1, 8, 4]],
    ['columns', [8, 6], [8, 1]],
    ['numbers', [3, 5], [1, 1]],
  ])('%s', async (_name, shape, block) => {
    for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
      for (const float8 of ['float8_e4m3fn', 'float8_e5m2'] as const) {
        await expectSame(numbers(shape, dtype, 3), block, float8)
      }
    }
  })

  it.each(['float32', 'float16', 'bfloat16'] as const)('all codes, of %s', async (dtype) => {
    const exponents = Array.from({ length: 240 }, (_, i) => 2 ** (i / 8 - 20) * (i % 2 ? -1 : 1))
    const x = fromFloat32(
      Float32Array.from([...exponents, ...new Array<number>(16).fill(0)]),
      [16, 16],
      dtype,
    )
    for (const float8 of ['float8_e4m3fn', 'float8_e5m2'] as const) {
      for (const block of [
        [16, 16],
        [1, 16],
        [2, 2],
      ]) {
        await expectSame(x, block, float8, { finite: true })
      }
    }
  })
})

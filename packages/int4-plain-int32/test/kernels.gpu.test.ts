import * as base from '@ao/base-tensor'
import { bmm, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { webgpuKernels as primitiveKernels } from '@ao/quant-primitives/webgpu'
import {
  checkLinearCase,
  compileVariants,
  describeLinearCase,
  LINEAR_CASES,
  HALF_CASES,
  SHARED_DECODER_CASES,
  testNumbers,
} from '@ao/quantized-linear/webgpu/testing'
import { expectSameExtremes } from '@ao/test-kit'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  dequantizeInt4PlainInt32,
  int4PlainInt32Linear,
  Int4PlainInt32Tensor,
  type Int4PlainInt32Weight,
} from '../src/index.ts'
import { int4PlainInt32Kernels, webgpuKernels } from '../src/webgpu.ts'

const gpu = (await testGPU()) as GPU
const validator = await validationGPU()
const device =
  gpu &&
  (await WebGPUDevice.create({ gpu, kernels: [denseKernels, primitiveKernels, webgpuKernels] }))

type Variant = 'xpu' | 'npu'

function quantized(
  weight: Tensor,
  groupSize: number,
  variant: Variant = 'xpu',
): Int4PlainInt32Tensor {
  const granularity = PerGroup(groupSize)
  return Int4PlainInt32Tensor.fromHp(weight, { granularity, variant })
}

function stored(weight: Tensor, groupSize: number, variant?: Variant): Int4PlainInt32Weight {
  const { qdata, scale, zeroPoint } = quantized(weight, groupSize, variant)
  return [qdata, scale, zeroPoint]
}

const subject = {
  gpu,
  kernels: int4PlainInt32Kernels,
  op: int4PlainInt32Linear,
  args: (x: Tensor, weight: Tensor, groupSize: number, bias: Tensor | undefined) =>
    [x, stored(weight, groupSize), bias] as Parameters<typeof int4PlainInt32Linear>,
}

describe.skipIf(!gpu)('linear', () => {
  it.each(SHARED_DECODER_CASES.map((each) => [describeLinearCase(each), each] as const))(
    '%s',
    async (_name, each) => checkLinearCase(subject, each),
  )

  it.skipIf(!validator)('compiles with shader-f16 and matrices of subgroups', async () => {
    const compiled = compileVariants(validator as GPU, subject, [...LINEAR_CASES, ...HALF_CASES])
    await expect(compiled).resolves.toBeUndefined()
  })

  it.each(['float32', 'bfloat16'] as const)('multiplies signed codes, %s', async (dtype) => {
    const weight = stored(testNumbers([10, 128], dtype), 64, 'npu')
    const bias = testNumbers([10], dtype)
    await expectReference(device, int4PlainInt32Linear, [
      testNumbers([1, 128], dtype),
      weight,
      bias,
    ])
    await expectReference(device, int4PlainInt32Linear, [
      testNumbers([2, 128], dtype),
      weight,
      bias,
    ])
  })

  it('takes any group size', async () => {
    const weight = stored(testNumbers([7, 24]), 8)
    await expectReference(device, int4PlainInt32Linear, [testNumbers([3, 24]), weight, undefined])
  })
})

describe.skipIf(!gpu)('weights', () => {
  it.each(['xpu', 'npu'] as const)(
    'of the variant %s have the values of the CPU',
    async (variant) => {
      const weight = testNumbers([9, 128], 'bfloat16')
      const [words, scale, zeroPoint] = stored(weight, 32, variant)
      await expectReference(device, dequantizeInt4PlainInt32, [
        [words, scale, zeroPoint],
        'bfloat16',
      ])
    },
  )

  it.each(['xpu', 'npu'] as const)('quantize on the GPU, %s', async (variant) => {
    const weight = testNumbers([2, 6, 128])
    const [here, there] = [weight, await weight.to(device)].map((each) =>
      quantized(each, 32, variant),
    )
    for (const name of ['qdata', 'scale', 'zeroPoint'] as const) {
      expect(await there?.[name].data()).toEqual(await here?.[name].data())
    }
  })

  it('multiply as experts', async () => {
    const experts = quantized(testNumbers([3, 10, 64]), 32)
    await expectReference(device, bmm, [testNumbers([3, 1, 64]), experts], 1e-6)
  })
})

describe.skipIf(!gpu)('weights at the ends of dtypes', () => {
  it('are what they are on the CPU', async () => {
    const fromHp = (weight: Tensor): Int4PlainInt32Tensor =>
      Int4PlainInt32Tensor.fromHp(weight, { granularity: PerGroup(32) })
    await expectSameExtremes(base, device, { fromHp: fromHp as never, shape: [8, 128] })
  })
})

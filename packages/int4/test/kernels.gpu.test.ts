import * as base from '@ao/base-tensor'
import { bmm, readFloat32, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import {
  checkLinearCase,
  compileVariants,
  describeLinearCase,
  LINEAR_CASES,
  HALF_CASES,
  testNumbers,
} from '@ao/quantized-linear/webgpu/testing'
import { webgpuKernels as quantizeKernels } from '@ao/quant-primitives/webgpu'
import { expectSameExtremes } from '@ao/test-kit'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  dequantizeInt4,
  int4Float8Linear,
  int4Linear,
  Int4Tensor,
  type Int4Weight,
} from '../src/index.ts'
import { int4Kernels, webgpuKernels } from '../src/webgpu.ts'

const gpu = (await testGPU()) as GPU
const validator = await validationGPU()
const kernels = [denseKernels, webgpuKernels]

function stored(weight: Tensor, groupSize: number): Int4Weight {
  const { qdata, scale, zeroPoint } = Int4Tensor.fromHp(weight, {
    granularity: PerGroup(groupSize),
  })
  return [qdata, scale, zeroPoint]
}

describe.skipIf(!gpu)('linear', () => {
  const subject = {
    gpu,
    kernels: int4Kernels,
    op: int4Linear,
    args: (x: Tensor, weight: Tensor, groupSize: number, bias: Tensor | undefined) =>
      [x, stored(weight, groupSize), bias] as [Tensor, Int4Weight, Tensor | undefined],
  }
  it.each(
    [...LINEAR_CASES, ...HALF_CASES].map((each) => [describeLinearCase(each), each] as const),
  )('%s', async (_name, each) => checkLinearCase(subject, each))

  it.skipIf(!validator)('compiles with shader-f16 and matrices of subgroups', async () => {
    const compiled = compileVariants(validator as GPU, subject, [...LINEAR_CASES, ...HALF_CASES])
    await expect(compiled).resolves.toBeUndefined()
  })

  it('leaves weights that may be beyond float16 to kernels that compute in float32', async () => {
    const tiles = [{ m: 4, n: 4, subgroupM: 4, subgroupN: 4, step: 32 }]
    const own = int4Kernels({ half: 'f32', matrix: { minRows: 2, wantedWorkgroups: 1, tiles } })
    const device = await WebGPUDevice.create({ gpu, kernels: [denseKernels, own] })
    const x = testNumbers([40, 64], 'float16', 1e-3) // too many rows for `batch`
    const there = await x.to(device)
    for (const dtype of ['float32', 'bfloat16', 'float16'] as const) {
      const weight = stored(testNumbers([8, 64], dtype, dtype === 'float16' ? 6e4 : 1e6), 32)
      const parts = await Promise.all(weight.map((part) => part?.to(device)))
      const [first] = device.explain(int4Linear, [there, parts as never, undefined])
      expect(first?.variant, dtype).toBe(
        dtype === 'float16' ? 'gemm, subgroup matrices' : 'gemm 64 x 64',
      )
      await expectReference(device, int4Linear, [x, weight, undefined])
    }
  })

  it('takes any group size', async () => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    const weight = stored(testNumbers([7, 42]), 6)
    await expectReference(device, int4Linear, [testNumbers([3, 42]), weight, testNumbers([7])])
  })

  it('multiplies weights above the binding limit in parts', async () => {
    const capabilities = { maxBindingSize: 4096 }
    const device = await WebGPUDevice.create({ gpu, kernels, capabilities })
    const weight = stored(testNumbers([90, 256], 'bfloat16'), 64)
    await expectReference(device, int4Linear, [testNumbers([1, 256]), weight, testNumbers([90])])
  })

  it('rounds inputs to float8', async () => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    const weight = stored(testNumbers([10, 64]), 32)
    await expectReference(device, int4Float8Linear, [
      testNumbers([3, 64], 'bfloat16', 50),
      weight,
      undefined,
    ])
  })
})

describe.skipIf(!gpu)('weights', () => {
  it.each(['float32', 'bfloat16', 'float16'] as const)('dequantize in %s', async (dtype) => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    await expectReference(device, dequantizeInt4, [stored(testNumbers([9, 64], dtype), 32), dtype])
    await expectReference(device, dequantizeInt4, [stored(testNumbers([9, 14], dtype), 2), dtype])
  })

  it('multiply as experts', async () => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    const experts = Int4Tensor.fromHp(testNumbers([3, 10, 64]), { granularity: PerGroup(32) })
    const x = testNumbers([3, 2, 64])
    const y = bmm(await x.to(device), await experts.to(device))
    const expected = await readFloat32(bmm(x, experts))
    ;(await readFloat32(y)).forEach((value, i) =>
      expect(value).toBeCloseTo(expected[i] as number, 4),
    )
    expect(await readFloat32((await experts.to(device)).dequantize())).toEqual(
      await readFloat32(experts.dequantize()),
    )
  })
})

describe.skipIf(!gpu)('weights at the ends of dtypes', () => {
  it('are what they are on the CPU', async () => {
    const on = await WebGPUDevice.create({ gpu, kernels: [...kernels, quantizeKernels] })
    const fromHp = (weight: Tensor): Int4Tensor =>
      Int4Tensor.fromHp(weight, { granularity: PerGroup(32) })
    await expectSameExtremes(base, on, { fromHp: fromHp as never, shape: [8, 128] })
  })
})

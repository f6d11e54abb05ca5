import * as base from '@ao/base-tensor'
import { asDense, bmm, type Tensor } from '@ao/base-tensor'
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
  dequantizeInt4Preshuffled,
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  Int4PreshuffledTensor,
  packInt4Preshuffled,
  unpackInt4Preshuffled,
  type Int4ActivationDType,
  type Int4PreshuffledWeight,
} from '../src/index.ts'
import { int4PreshuffledKernels, webgpuKernels } from '../src/webgpu.ts'

const gpu = (await testGPU()) as GPU
const validator = await validationGPU()
const device =
  gpu &&
  (await WebGPUDevice.create({ gpu, kernels: [denseKernels, primitiveKernels, webgpuKernels] }))

function quantized(
  weight: Tensor,
  groupSize: number,
  activationDtype: Int4ActivationDType = 'bfloat16',
): Int4PreshuffledTensor {
  const granularity = PerGroup(groupSize)
  return Int4PreshuffledTensor.fromHp(weight, { granularity, activationDtype })
}

function stored(...args: Parameters<typeof quantized>): Int4PreshuffledWeight {
  const { qdata, groupScale, groupZero, rowScale, shape } = quantized(...args)
  return [qdata, groupScale, groupZero, rowScale, shape]
}

type LinearArgs = Parameters<typeof int4PreshuffledLinear>

const subject = {
  gpu,
  kernels: int4PreshuffledKernels,
  op: int4PreshuffledLinear,
  args: (x: Tensor, weight: Tensor, groupSize: number, bias: Tensor | undefined): LinearArgs => [
    x,
    stored(weight, groupSize),
    bias,
  ],
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

  it('multiplies without zero points', async () => {
    const [qdata, scale] = stored(testNumbers([10, 64]), 32)
    const args: LinearArgs = [
      testNumbers([1, 64]),
      [qdata, scale, undefined, undefined, [10, 64]],
      undefined,
    ]
    await expectReference(device, int4PreshuffledLinear, args)
  })

  it('rounds inputs to float8, of weights with scales of float8', async () => {
    const weight = stored(testNumbers([10, 64], 'bfloat16'), 32, 'float8_e4m3fn')
    for (const m of [1, 3]) {
      const x = testNumbers([m, 64], 'bfloat16', 50)
      await expectReference(device, int4PreshuffledFloat8Linear, [x, weight, undefined])
    }
  })

  it('multiplies weights above the binding limit in parts', async () => {
    const capabilities = { maxBindingSize: 4096 }
    const small = await WebGPUDevice.create({
      gpu,
      kernels: [denseKernels, webgpuKernels],
      capabilities,
    })
    const weight = stored(testNumbers([90, 256], 'bfloat16'), 64)
    const args: LinearArgs = [testNumbers([1, 256]), weight, testNumbers([90])]
    await expectReference(small, int4PreshuffledLinear, args)
  })
})

describe.skipIf(!gpu)('weights', () => {
  it.each(['bfloat16', 'float8_e4m3fn'] as const)(
    'convert, for inputs of %s',
    async (activation) => {
      const weight = stored(testNumbers([2, 9, 64], 'bfloat16'), 32, activation)
      await expectReference(device, dequantizeInt4Preshuffled, [weight, 'float32'])
      await expectReference(device, unpackInt4Preshuffled, [weight[0], 9])
      await expectReference(device, packInt4Preshuffled, [unpackInt4Preshuffled(weight[0], 9)])
    },
  )

  it.each(['bfloat16', 'float8_e4m3fn'] as const)(
    'give their codes to other formats, for %s',
    async (activation) => {
      const weight = quantized(testNumbers([2, 9, 64], 'bfloat16'), 32, activation)
      const here = weight.toCodes()
      const there = (await weight.to(device)).toCodes()
      const pairs = [
        [there.codes, here.codes],
        [there.scale, here.scale],
        [there.zeroPoint?.values, here.zeroPoint?.values],
      ] as const
      for (const [got, expected] of pairs) {
        expect(got && (await asDense(got).data())).toEqual(
          expected && (await asDense(expected).data()),
        )
      }
    },
  )

  it.each(['bfloat16', 'float8_e4m3fn'] as const)(
    'quantize on the GPU, for %s',
    async (activation) => {
      const weight = testNumbers([2, 6, 128], 'bfloat16')
      const here = quantized(weight, 32, activation)
      const there = quantized(await weight.to(device), 32, activation)
      for (const name of ['qdata', 'groupScale', 'groupZero', 'rowScale'] as const) {
        expect(await there[name]?.data()).toEqual(await here[name]?.data())
      }
    },
  )

  it('multiply as experts', async () => {
    await expectReference(
      device,
      bmm,
      [testNumbers([3, 1, 64]), quantized(testNumbers([3, 10, 64]), 32)],
      1e-6,
    )
  })
})

describe.skipIf(!gpu)('weights at the ends of dtypes', () => {
  it('are what they are on the CPU', async () => {
    const fromHp = (weight: Tensor): Int4PreshuffledTensor =>
      Int4PreshuffledTensor.fromHp(weight, { granularity: PerGroup(32) })
    await expectSameExtremes(base, device, { fromHp: fromHp as never, shape: [8, 128] })
  })
})

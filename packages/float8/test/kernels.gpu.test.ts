import * as base from '@ao/base-tensor'
import { bmm, embedding, hostArray, readFloat32, tensor, type Tensor } from '@ao/base-tensor'
import { PerBlock, PerGroup, PerRow, PerTensor } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import {
  checkLinearCase,
  compileVariants,
  describeLinearCase,
  LINEAR_CASES,
  SHARED_DECODER_CASES,
  testNumbers,
} from '@ao/quantized-linear/webgpu/testing'
import { expectSameExtremes } from '@ao/test-kit'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  float8DynamicLinear,
  float8Linear,
  Float8StaticActivationFloat8WeightConfig,
  Float8Tensor,
  QuantizeTensorToFloat8Kwargs,
  type Float8FromHpOptions,
  type Float8Weight,
} from '../src/index.ts'
import { float8Kernels, webgpuKernels } from '../src/webgpu.ts'

const gpu = (await testGPU()) as GPU
const validator = await validationGPU()
const kernels = [denseKernels, webgpuKernels]
// Those in 16 bits have no variant of their own but matrices, which take a scale a row.
const CASES = [...SHARED_DECODER_CASES, LINEAR_CASES[0]!, LINEAR_CASES.at(-1)!]
  .filter(({ variant }) => !variant.includes('products in f16'))
  .map((each) => (each.variant.includes('matrices') ? { ...each, groupSize: each.k } : each))

function stored(weight: Tensor, options: Float8FromHpOptions): Float8Weight {
  const { qdata, scale } = Float8Tensor.fromHp(weight, options)
  return [qdata, scale]
}

describe.skipIf(!gpu)('linear', () => {
  const subject = {
    ...{ gpu, kernels: float8Kernels, op: float8Linear },
    args: (x: Tensor, weight: Tensor, groupSize: number, bias: Tensor | undefined) =>
      [x, stored(weight, { granularity: PerGroup(groupSize) }), bias] as [
        Tensor,
        Float8Weight,
        Tensor | undefined,
      ],
  }
  it.each(CASES.map((each) => [describeLinearCase(each), each] as const))('%s', async (_, each) =>
    checkLinearCase(subject, each),
  )

  it.skipIf(!validator)('compiles with shader-f16 and matrices of subgroups', async () => {
    await expect(compileVariants(validator as GPU, subject, CASES)).resolves.toBeUndefined()
  })

  it.each([
    ['rows', { granularity: PerRow() }, [70, 192]],
    ['a tensor of float8_e5m2', { granularity: PerTensor(), float8Dtype: 'float8_e5m2' }, [9, 64]],
    ['blocks', { granularity: PerBlock([8, 32]) }, [24, 128]],
    ['groups that no chunk divides', { granularity: PerGroup(6) }, [7, 42]],
    ['rows that no chunk divides', { granularity: PerRow() }, [7, 45]],
  ] as const)('takes %s', async (_name, options, shape) => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    const weight = stored(testNumbers(shape), options)
    for (const m of [1, 3]) {
      const [n, k] = shape
      await expectReference(device, float8Linear, [testNumbers([m, k]), weight, testNumbers([n])])
    }
  })

  it.each([
    ['rows', PerRow(), 'float8_e4m3fn'],
    ['a tensor', PerTensor(), 'float8_e4m3fn'],
    ['blocks of a row', PerBlock([1, 32]), 'float8_e4m3fn'],
    ['rows', PerRow(), 'float8_e5m2'],
  ] as const)('rounds %s of inputs, by %s to %s', async (_name, granularity, float8Dtype) => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    const weight = stored(testNumbers([10, 128]), {})
    for (const bounds of [{}, { hpValueLb: 20, hpValueUb: 30 }]) {
      const kwargs = QuantizeTensorToFloat8Kwargs({ granularity, float8Dtype, ...bounds })
      for (const [m, dtype] of [
        [1, 'bfloat16'],
        [5, 'float16'],
      ] as const) {
        const x = testNumbers([m, 128], dtype, 50)
        await expectReference(device, float8DynamicLinear, [x, weight, testNumbers([10]), kwargs])
      }
    }
  })

  it('multiplies weights above the binding limit in parts', async () => {
    const capabilities = { maxBindingSize: 4096 }
    const device = await WebGPUDevice.create({ gpu, kernels, capabilities })
    const weight = stored(testNumbers([90, 256], 'bfloat16'), {})
    await expectReference(device, float8Linear, [testNumbers([1, 256]), weight, testNumbers([90])])
  })

  it('takes measured scales', async () => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    const config = new Float8StaticActivationFloat8WeightConfig({
      ...{ actQuantScale: tensor([2 / 448]), outputActQuantScale: tensor([[30 / 448]]) },
      quantizeAndDequantizeOutput: true,
    })
    const [w, x] = [testNumbers([16, 64]), testNumbers([3, 64], 'bfloat16')]
    const here = config.quantizeTensor(w, { name: 'w' }) as Tensor
    const there = config.quantizeTensor(await w.to(device), { name: 'w' }) as Tensor
    const expected = await readFloat32(base.linear(x, here))
    expect(await readFloat32(base.linear(await x.to(device), there))).toEqual(expected)
  })
})

describe.skipIf(!gpu)('weights', () => {
  it('multiply as experts, and give rows', async () => {
    const device = await WebGPUDevice.create({ gpu, kernels })
    const experts = Float8Tensor.fromHp(testNumbers([3, 10, 64]))
    const x = testNumbers([3, 2, 64])
    const y = await readFloat32(bmm(await x.to(device), await experts.to(device)))
    const expected = await readFloat32(bmm(x, experts))
    y.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 4))
    const values = await readFloat32(experts.dequantize())
    expect(await readFloat32((await experts.to(device)).dequantize())).toEqual(values)
    const table = Float8Tensor.fromHp(testNumbers([12, 64], 'bfloat16'))
    const ids = tensor([5, 0, 11], { dtype: 'int32' })
    const rows = embedding(await ids.to(device), await table.to(device))
    expect(await readFloat32(rows)).toEqual(await readFloat32(embedding(ids, table)))
  })

  it.each(['float8_e4m3fn', 'float8_e5m2'] as const)(
    'are zeros where scales of %s are',
    async (dtype) => {
      const device = await WebGPUDevice.create({ gpu, kernels })
      // As torchao writes a row of zeros.
      const bytes = Uint8Array.from({ length: 32 }, (_, i) => (i < 16 ? 0xff : 0x38))
      const qdata = base.fromArray(bytes, [2, 16], dtype)
      const weight = new Float8Tensor({ qdata, scale: tensor([[0], [2]]), dtype: 'bfloat16' })
      const x = testNumbers([1, 16])
      const here = [weight.dequantize(), base.linear(x, weight)]
      const moved = await weight.to(device)
      const there = [moved.dequantize(), base.linear(await x.to(device), moved)]
      expect(Array.from(await readFloat32(here[0] as Tensor)).slice(0, 16)).toEqual(
        new Array(16).fill(0),
      )
      for (const [i, one] of here.entries()) {
        const [expected, got] = [await readFloat32(one), await readFloat32(there[i] as Tensor)]
        got.forEach((value, at) => expect(value).toBeCloseTo(expected[at] as number, 4))
      }
    },
  )

  it.each([PerRow(), PerTensor(), PerBlock([8, 16])])(
    'have the bits of the CPU where the GPU quantizes them: $type',
    async (granularity) => {
      const on = await WebGPUDevice.create({ gpu, kernels })
      const fromHp = (weight: Tensor): Float8Tensor => Float8Tensor.fromHp(weight, { granularity })
      await expectSameExtremes(base, on, { fromHp: fromHp as never, shape: [16, 64] })
      const w = testNumbers([16, 64], 'bfloat16')
      const there = await fromHp(await w.to(on)).to(base.cpu)
      expect(hostArray(there.qdata)).toEqual(hostArray(fromHp(w).qdata))
    },
  )
})

import {
  bmm,
  cast,
  cpu,
  DenseTensor,
  embedding,
  fromArray,
  fromFloat32Array,
  readFloat32,
} from '@ao/base-tensor'
import type { FloatDType, Tensor } from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor } from '@ao/granularity'
import * as base from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { compareWithReference, expectReference } from '@ao/kernels-webgpu/testing'
import { expectSameExtremes } from '@ao/test-kit'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  dynamicLinear,
  groupwiseLinear,
  Int8Tensor,
  linear,
  QuantizeTensorToInt8Kwargs,
  staticLinear,
  weightOnlyLinear,
  type Int8FromHpOptions,
  type CodedWeight,
} from '../src/index.ts'
import { int8Kernels, subgroupMatrices, webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
// Programs of few numbers a thread, which compile in a fraction of the time: results do not depend on sizes.
const smallTile = { tokens: 8, rows: 8, depth: 4, threadTokens: 4, threadRows: 4 }
const largeTile = { tokens: 8, rows: 16, depth: 8, threadTokens: 4, threadRows: 8 }
const kernels = [denseKernels, int8Kernels({ tuning: { smallTile, largeTile } })]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))

function numbers(
  shape: readonly number[],
  dtype: FloatDType = 'float32',
  magnitude = 1,
): DenseTensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from(
    { length: count },
    (_, i) => (Math.sin(i * 12.9898 + count) + Math.sin(i * 0.7) + 0.3) * magnitude,
  )
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

function quantized(
  shape: readonly number[],
  options: Int8FromHpOptions,
  dtype: FloatDType = 'float32',
): CodedWeight {
  const { qdata, scale, zeroPoint } = Int8Tensor.fromHp(numbers(shape, dtype), options)
  return [qdata, scale, zeroPoint]
}

const ROW: Int8FromHpOptions = { granularity: PerRow() }
const ASYMMETRIC_ROW: Int8FromHpOptions = { ...ROW, mappingType: 'ASYMMETRIC' }
const SHORT: readonly FloatDType[] = ['bfloat16', 'float16']

describe.skipIf(!device)('products of numbers and int8 weights', () => {
  const on = device as WebGPUDevice

  it.each([1, 3, 20, 40])('of %i tokens', async (m) => {
    const weight = quantized([70, 128], ASYMMETRIC_ROW)
    await expectReference(on, weightOnlyLinear, [numbers([m, 128]), weight, numbers([70])])
  })

  it.each(SHORT)('of %s', async (dtype) => {
    const weight = quantized([70, 128], ASYMMETRIC_ROW, dtype)
    const args = [numbers([1, 128], dtype), weight, numbers([70], dtype)] as const
    await expectReference(on, weightOnlyLinear, [...args])
  })

  it.each([21, 36])(
    'of %i columns, one scale for all, and inputs of three dimensions',
    async (k) => {
      const weight = quantized([7, k], { granularity: PerTensor(), mappingType: 'ASYMMETRIC' })
      const bias = numbers([7])
      await expectReference(on, weightOnlyLinear, [numbers([2, 2, k]), weight, bias])
      await expectReference(on, weightOnlyLinear, [numbers([k]), weight, bias])
    },
  )

  it.each([
    [1, 64, 16, 'bfloat16'],
    [20, 64, 16, 'float32'],
    [2, 24, 8, 'float32'],
    [2, 9, 3, 'float32'],
  ] as const)('of %i tokens, %i columns in groups of %i, %s', async (m, k, g, dtype) => {
    const options = { granularity: PerGroup(g), mappingType: 'ASYMMETRIC' } as const
    const weight = quantized([10, k], options, dtype)
    const args = [numbers([m, k], dtype), weight, numbers([10], dtype), dtype] as const
    await expectReference(on, groupwiseLinear, [...args])
  })

  it('of 16384 columns and large numbers', async () => {
    const weight = quantized([8, 16384], ROW)
    for (const m of [1, 12]) {
      const x = numbers([m, 16384], 'float16', 28_000)
      await expectReference(on, weightOnlyLinear, [x, weight, undefined])
    }
  })
})

const PER_ROW = QuantizeTensorToInt8Kwargs({ granularity: PerRow() })

describe.skipIf(!device)('sums beyond float16', () => {
  it.each([1, 3, 20])('of %i tokens come out as they do on the CPU', async (m) => {
    const x = cast(fromArray(new Float32Array(m * 512).fill(200), [m, 512], 'float32'), 'float16')
    const hp = numbers([12, 512], 'float16', 0.01)
    const bias = cast(fromArray(new Float32Array(12).fill(-60000), [12], 'float32'), 'float16')
    for (const actQuantKwargs of [undefined, PER_ROW, PER_ROW_ASYMMETRIC]) {
      const weight = Int8Tensor.fromHp(hp, { ...ROW, actQuantKwargs })
      const args = [x, weight, bias] as const
      const { nmse } = await compareWithReference(device as WebGPUDevice, linear, [...args])
      expect(nmse).toBeLessThan(1e-6)
    }
  })
})
const PER_ROW_ASYMMETRIC = QuantizeTensorToInt8Kwargs({ mappingType: 'ASYMMETRIC' })
const PER_TENSOR = QuantizeTensorToInt8Kwargs({ granularity: PerTensor() })

describe.skipIf(!device)('products of codes', () => {
  const on = device as WebGPUDevice
  const bias = numbers([70])

  it.each([1, 20])('of %i tokens', async (m) => {
    const args = [numbers([m, 128]), quantized([70, 128], ROW), bias] as const
    await expectReference(on, dynamicLinear, [...args, PER_ROW, 'float32'])
  })

  it.each([3, 40])('of %i tokens whose codes have zero points', async (m) => {
    const args = [numbers([m, 128]), quantized([70, 128], ASYMMETRIC_ROW), bias] as const
    await expectReference(on, dynamicLinear, [...args, PER_ROW_ASYMMETRIC, 'float32'])
  })

  it.each([
    ['bfloat16', PER_ROW_ASYMMETRIC],
    ['float16', PER_ROW],
  ] as const)('of %s', async (dtype, activation) => {
    const weight = quantized([70, 128], ROW, dtype)
    const args = [numbers([1, 128], dtype), weight, numbers([70], dtype)] as const
    await expectReference(on, dynamicLinear, [...args, activation, dtype])
  })

  it('of one scale for all tokens, and half the range', async () => {
    const weight = quantized([70, 128], { ...ROW, reduceRange: true })
    const x = numbers([2, 1, 128])
    await expectReference(on, dynamicLinear, [x, weight, bias, PER_TENSOR, 'float32'])
    const half = { ...PER_TENSOR, reduceRange: true, mappingType: 'ASYMMETRIC' } as const
    await expectReference(on, dynamicLinear, [x, weight, bias, half, 'float32'])
  })

  it.each([21, 36])('of %i columns', async (k) => {
    const weight = quantized([7, k], ASYMMETRIC_ROW)
    const args = [numbers([2, 2, k], 'bfloat16'), weight, numbers([7]), PER_ROW_ASYMMETRIC] as const
    await expectReference(on, dynamicLinear, [...args, 'float32'])
  })

  it('with scales that were measured beforehand', async () => {
    const weight = quantized([70, 128], ROW)
    const x = numbers([2, 128])
    const one = [numbers([1, 1], 'float32', 0.05), undefined] as const
    await expectReference(on, staticLinear, [x, weight, bias, PER_TENSOR, one, 'float32'])
    const zero = new DenseTensor(cpu.upload('int8', Int8Array.of(-7, 100)), [2, 1])
    const each = [numbers([2, 1], 'float32', 0.05), zero] as const
    await expectReference(on, staticLinear, [x, weight, bias, PER_ROW_ASYMMETRIC, each, 'float32'])
    const short = [numbers([1, 1], 'bfloat16', 0.05), undefined] as const
    const args = [numbers([1, 128], 'bfloat16'), weight, undefined, PER_TENSOR, short] as const
    await expectReference(on, staticLinear, [...args, 'bfloat16'])
  })

  it('refuses scales of another number of tokens, and asymmetric codes without zero points', async () => {
    const weight = quantized([4, 16], ROW)
    const [x, scale] = [numbers([3, 16]), numbers([2, 1])]
    await expect(
      expectReference(on, staticLinear, [
        x,
        weight,
        undefined,
        PER_ROW,
        [scale, undefined],
        'float32',
      ]),
    ).rejects.toThrow('[@ao/quantized-linear] Expected a scale of shape [3, 1]')
    const there = (await Promise.all(
      [x, ...weight, scale].map((t) => (t as Tensor).to(on)),
    )) as DenseTensor[]
    const [on_x, qdata, scales, zeros, known] = there as [
      DenseTensor,
      DenseTensor,
      DenseTensor,
      DenseTensor,
      DenseTensor,
    ]
    const run = (activation: QuantizeTensorToInt8Kwargs, rows: Tensor): Tensor =>
      staticLinear(
        rows,
        [qdata, scales, zeros],
        undefined,
        activation,
        [known, undefined],
        'float32',
      )
    expect(() => run(PER_ROW, on_x)).toThrow(
      '[@ao/quantized-linear] Expected a scale of 3 elements, got [2, 1].',
    )
    expect(() => run(PER_ROW_ASYMMETRIC, on_x.narrow(0, 0, 2))).toThrow(
      'a zero point beside the scale',
    )
  })

  it('are exact over 16384 columns of the largest codes', async () => {
    const ones = new Float32Array(16384).fill(1)
    const row = new DenseTensor(cpu.upload('float32', ones), [1, 16384])
    const { qdata, scale, zeroPoint } = Int8Tensor.fromHp(row, ROW)
    const args = [
      numbers([1, 16384], 'float32', 1e30),
      [qdata, scale, zeroPoint],
      undefined,
    ] as const
    await expectReference(on, dynamicLinear, [...args, PER_ROW, 'float32'])
  })
})

describe.skipIf(!device)('Int8Tensor on a GPU', () => {
  const on = device as WebGPUDevice

  it.each([PerRow(), PerTensor(), PerGroup(16)])(
    'quantizes to the same bits: %o',
    async (granularity) => {
      for (const dtype of ['float32', ...SHORT] as const) {
        const weight = numbers([20, 64], dtype)
        const here = Int8Tensor.fromHp(weight, { granularity })
        const there = Int8Tensor.fromHp(await weight.to(on), { granularity })
        for (const part of ['qdata', 'scale', 'zeroPoint'] as const) {
          expect(await readFloat32(there[part] as Tensor)).toEqual(
            await readFloat32(here[part] as Tensor),
          )
        }
        expect(await readFloat32(there.dequantize())).toEqual(await readFloat32(here.dequantize()))
      }
    },
  )

  it.each([PerRow(), PerGroup(16)])(
    'quantizes weights at the ends of dtypes alike: %o',
    async (granularity) => {
      for (const mappingType of ['SYMMETRIC', 'ASYMMETRIC'] as const) {
        const fromHp = (weight: Tensor): Int8Tensor =>
          Int8Tensor.fromHp(weight, { granularity, mappingType })
        await expectSameExtremes(base, on, { fromHp: fromHp as never, shape: [4, 64] })
      }
    },
  )

  it('multiplies quantized inputs with weights at the ends of dtypes alike', async () => {
    const fromHp = (weight: Tensor): Int8Tensor =>
      Int8Tensor.fromHp(weight, { ...ROW, actQuantKwargs: PER_ROW })
    await expectSameExtremes(base, on, { fromHp: fromHp as never, shape: [4, 64] })
  })

  it('multiplies, also experts', async () => {
    const weight = Int8Tensor.fromHp(numbers([2, 12, 128]), ROW)
    const { nmse } = await compareWithReference(on, bmm, [numbers([2, 1, 128]), weight])
    expect(nmse).toBeLessThan(1e-6)
    const dynamic = Int8Tensor.fromHp(numbers([12, 128]), { ...ROW, actQuantKwargs: PER_ROW })
    const other = await compareWithReference(on, linear, [numbers([1, 128]), dynamic])
    expect(other.nmse).toBeLessThan(1e-6)
  })

  it('multiplies what was scaled before, and gives rows by their numbers', async () => {
    const scaled = { ...ROW, actPreScale: numbers([128]) }
    const args = [numbers([1, 128]), Int8Tensor.fromHp(numbers([12, 128]), scaled)] as const
    expect((await compareWithReference(on, linear, [...args])).nmse).toBeLessThan(1e-6)
    const ids = new DenseTensor(cpu.upload('int32', Int32Array.of(3, 0, 11)), [3])
    const rows = await compareWithReference(on, embedding, [ids, args[1]])
    expect(rows.different).toBe(0)
  })

  it('says how it multiplies', async () => {
    const weight = await Int8Tensor.fromHp(numbers([12, 32]), ROW).to(on)
    const [one, many] = [await numbers([1, 32]).to(on), await numbers([64, 32]).to(on)]
    const names = [one, many].map((x) => {
      const [first] = on.explain(linear, [x, weight])
      return `${first?.op}: ${first?.variant}`
    })
    const gemv = on.capabilities.subgroups ? 'gemv, subgroups' : 'gemv'
    expect(names).toEqual([
      `quantized_linear.weightOnlyLinear: ${gemv}`,
      'quantized_linear.weightOnlyLinear: gemm 64 x 64',
    ])
  })
})

describe.skipIf(!device)('with the sizes that are used', () => {
  it('tiles give the same products', async () => {
    const own = [denseKernels, webgpuKernels]
    const on = await WebGPUDevice.create({ gpu: gpu as GPU, kernels: own })
    const weight = quantized([70, 80], ROW)
    await expectReference(on, weightOnlyLinear, [numbers([70, 80]), weight, undefined])
    await expectReference(on, dynamicLinear, [
      numbers([20, 80]),
      weight,
      undefined,
      PER_ROW,
      'float32',
    ])
    on.destroy()
  })
})

describe.skipIf(!device)('on less capable GPUs', () => {
  it('products come in parts, without subgroups and packed dot products', async () => {
    const capabilities = { subgroups: false, packedDot: false, maxBindingSize: 64 * 256 }
    const own = [denseKernels, int8Kernels({ tuning: { smallTile, largeTile: smallTile } })]
    const on = await WebGPUDevice.create({ gpu: gpu as GPU, kernels: own, capabilities })
    const weight = quantized([600, 64], ASYMMETRIC_ROW)
    await expectReference(on, weightOnlyLinear, [numbers([2, 64]), weight, numbers([600])])
    const many = [numbers([280, 64]), quantized([6, 64], ASYMMETRIC_ROW), numbers([6])] as const
    await expectReference(on, weightOnlyLinear, [...many])
    await expectReference(on, dynamicLinear, [...many, PER_ROW_ASYMMETRIC, 'float32'])
    const one = [numbers([1, 64]), weight, undefined] as const
    await expectReference(on, dynamicLinear, [...one, PER_ROW_ASYMMETRIC, 'float32'])
    on.destroy()
  })
})

const I8 = { componentType: 'i8', resultComponentType: 'i32', M: 16, N: 16, K: 32 }
const F16 = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }
const MATRICES = { subgroupMatrices: [I8, F16], minSubgroupSize: 32, maxSubgroupSize: 32 }
describe.skipIf(!device)('matrices of subgroups', () => {
  it('multiply tiles, here by threads that each do what a subgroup does', async () => {
    const tiles = [{ m: 8, n: 16, subgroupM: 4, subgroupN: 8, step: 64 }]
    const matrices = subgroupMatrices({ minRows: 2, wantedWorkgroups: 1, tiles, isAlone: true })
    const own = [denseKernels, int8Kernels({ matrices })]
    const on = await WebGPUDevice.create({ gpu: gpu as GPU, kernels: own })
    const weight = quantized([70, 64], ASYMMETRIC_ROW)
    const codes = [numbers([41, 64]), weight, numbers([70]), PER_ROW, 'float32'] as const
    await expectReference(on, dynamicLinear, [...codes])
    const halves = [numbers([41, 64], 'float16'), weight, numbers([70], 'float16')] as const
    await expectReference(on, weightOnlyLinear, [...halves])
    const there = await Promise.all([halves[0], ...weight].map((part) => (part as Tensor).to(on)))
    const [x, ...parts] = there as [Tensor, Tensor, Tensor, Tensor]
    const variants = [
      ...on.explain(dynamicLinear, [x, parts, undefined, PER_ROW, 'float32']),
      ...on.explain(weightOnlyLinear, [x, parts, undefined]),
    ].map(({ variant }) => variant)
    expect(variants).toContain('gemm, subgroup matrices of int8')
    expect(variants).toContain('gemm, subgroup matrices')
    on.destroy()
  })
})

const nothing = await validationGPU()

// Nothing runs there, but all that GPUs of today offer compiles.
describe.skipIf(!nothing)('programs for all features', () => {
  it.each(['float32', ...SHORT] as const)('compile for %s', async (dtype) => {
    const all = [denseKernels, int8Kernels({ matrices: subgroupMatrices() })]
    const options = { gpu: nothing as GPU, kernels: all, capabilities: MATRICES }
    const on = await WebGPUDevice.create(options)
    const weight: CodedWeight = quantized([128, 256], ROW)
    const groups: CodedWeight = quantized([64, 256], { granularity: PerGroup(32) })
    const there = async (parts: CodedWeight): Promise<CodedWeight> =>
      (await Promise.all(parts.map((part) => (part as Tensor).to(on)))) as never
    const [rows, grouped] = [await there(weight), await there(groups)]
    for (const m of [1, 2, 8, 32, 128]) {
      const x = await numbers([m, 256], dtype).to(on)
      weightOnlyLinear(x, rows, undefined)
      groupwiseLinear(x, grouped, undefined, dtype)
      dynamicLinear(x, rows, undefined, PER_ROW, dtype)
      dynamicLinear(x, rows, undefined, PER_ROW_ASYMMETRIC, dtype)
    }
    const x = await numbers([128, 256], dtype).to(on)
    const of = (explained: readonly { variant: string }[]): string | undefined =>
      explained.find(({ variant }) => variant.includes('matrices'))?.variant
    expect(of(on.explain(dynamicLinear, [x, rows, undefined, PER_ROW, dtype]))).toBe(
      'gemm, subgroup matrices of int8',
    )
    expect(of(on.explain(weightOnlyLinear, [x, rows, undefined]))).toBe(
      dtype === 'float16' ? 'gemm, subgroup matrices' : undefined,
    )
    await on.finish()
    on.destroy()
  })
})

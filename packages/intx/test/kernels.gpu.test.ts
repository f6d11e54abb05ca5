import * as base from '@ao/base-tensor'
import {
  bmm,
  cpu,
  embedding,
  fromArray,
  readFloat32,
  tensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { PerAxis, PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import {
  bitsLinear,
  packBits,
  unpackBits,
  type BitsForm,
  type BitsWeight,
} from '@ao/quantized-linear'
import {
  checkLinearCase,
  compileVariants,
  describeLinearCase,
  HALF_CASES,
  LINEAR_CASES,
  testNumbers,
} from '@ao/quantized-linear/webgpu/testing'
import { expectSameExtremes } from '@ao/test-kit'
import { elements } from '@ao/test-tensors'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  intxDynamicLinear,
  IntxUnpackedToInt8Tensor,
  type IntxActivation,
  type IntxDType,
  type IntxFromHpOptions,
} from '../src/index.ts'
import { intxKernels } from '../src/webgpu.ts'

const gpu = (await testGPU()) as GPU
const validator = await validationGPU()
// Programs of few numbers a thread, which compile in a fraction of the time: results do not depend on sizes.
const smallTile = { tokens: 8, rows: 8, depth: 4, threadTokens: 4, threadRows: 4 }
const largeTile = { tokens: 8, rows: 16, depth: 8, threadTokens: 4, threadRows: 8 }
const kernels = [denseKernels, intxKernels(undefined, { smallTile, largeTile })]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const DTYPES = [1, 2, 3, 4, 5, 6, 7].map((bits) => `int${bits}` as IntxDType)

/** A weight as ops take it, in words where it fills them. */
function stored(
  hp: Tensor,
  targetDtype: IntxDType,
  granularity: IntxFromHpOptions['granularity'],
): [BitsWeight, BitsForm] {
  const options = { targetDtype, granularity, mappingType: 'ASYMMETRIC' } as const
  const { qdata, scale, zeroPoint, dtype } = IntxUnpackedToInt8Tensor.fromHp(hp, options)
  const bits = Number(targetDtype.slice(3))
  const fills = bits < 8 && ((hp.shape[1] as number) * bits) % 32 === 0
  return [
    [fills ? packBits(qdata, bits) : qdata, scale, zeroPoint],
    { bits, isSigned: true, dtype },
  ]
}

describe.skipIf(!gpu).each(['int3', 'int4'] as const)('products with %s', (dtype) => {
  const subject = {
    gpu,
    kernels: intxKernels,
    op: bitsLinear,
    args: (x: Tensor, hp: Tensor, groupSize: number, bias: Tensor | undefined) =>
      [x, ...stored(hp, dtype, PerGroup(groupSize)), bias] as Parameters<typeof bitsLinear>,
  }
  // Codes across words have no products in 16 bits, and chunks that are read alike by all kernels.
  const cases =
    dtype === 'int4'
      ? [...LINEAR_CASES, ...HALF_CASES]
      : [...LINEAR_CASES.slice(0, 2), LINEAR_CASES.at(-1)!]
  it.each(cases.map((each) => [describeLinearCase(each), each] as const))('%s', (_name, each) =>
    checkLinearCase(subject, each),
  )

  it.skipIf(!validator)('compile with shader-f16 and matrices of subgroups', async () => {
    await expect(compileVariants(validator as GPU, subject, cases)).resolves.toBeUndefined()
  })
})

describe.skipIf(!gpu)('products', () => {
  it.each(DTYPES.filter((dtype) => dtype !== 'int3' && dtype !== 'int4'))(
    'with %s',
    async (dtype) => {
      for (const m of [1, 3]) {
        const weight = stored(testNumbers([10, 128]), dtype, PerGroup(32))
        await expectReference(device, bitsLinear, [
          testNumbers([m, 128]),
          ...weight,
          testNumbers([10]),
        ])
      }
    },
  )

  it.each([
    ['int3', 42, 6],
    ['int4', 40, 8],
    ['int5', 96, 96],
    ['int8', 21, 3],
  ] as const)('with %s, %i columns in groups of %i', async (dtype, k, g) => {
    const weight = stored(testNumbers([7, k]), dtype, PerGroup(g))
    const args = [testNumbers([3, k]), ...weight, testNumbers([7])] as const
    await expectReference(device, bitsLinear, [...args])
    const [x, parts, form, bias] = args
    await expectReference(device, intxDynamicLinear, [x, parts, form, 'int8_asym_per_token', bias])
  })

  it('with weights above the binding limit, in parts', async () => {
    const capabilities = { maxBindingSize: 4096 }
    const small = await WebGPUDevice.create({ gpu, kernels, capabilities })
    for (const dtype of ['int3', 'int4'] as const) {
      const weight = stored(testNumbers([90, 256], 'bfloat16'), dtype, PerGroup(64))
      await expectReference(small, bitsLinear, [testNumbers([1, 256]), ...weight, undefined])
    }
  })

  it.each([
    ['int8_asym_per_token', 'float32'],
    ['int8_asym_per_token', 'bfloat16'],
    ['int8_asym_per_token', 'float16'],
    ['int4_sym_per_token', 'bfloat16'],
  ] as readonly [IntxActivation, FloatDType][])('with inputs of %s in %s', async (name, dtype) => {
    const bias = testNumbers([10], dtype)
    const targets = dtype === 'bfloat16' ? (['int2', 'int4', 'int8'] as const) : (['int4'] as const)
    for (const target of targets) {
      for (const [m, granularity] of [
        [1, PerGroup(32)],
        [20, PerGroup(32)],
        [40, PerAxis(0)],
      ] as const) {
        const weight = stored(testNumbers([10, 64], dtype), target, granularity)
        const x = testNumbers([m, 64], dtype, 3, m)
        await expectReference(device, intxDynamicLinear, [x, ...weight, name, bias])
      }
    }
  })
})

describe.skipIf(!gpu)('codes in words', () => {
  it.each(DTYPES)('of %s, and back', async (dtype) => {
    const bits = Number(dtype.slice(3))
    const numbers = Int8Array.from(
      { length: 6 * 64 },
      (_, i) => ((i * 7) << (32 - bits)) >> (32 - bits),
    )
    const codes = fromArray(numbers, [2, 3, 64], 'int8')
    await expectReference(device, packBits, [codes, bits])
    const words = packBits(codes, bits)
    expect(words.shape).toEqual([2, 3, 2 * bits])
    await expectReference(device, unpackBits, [words, bits, true])
    expect(elements(unpackBits(words, bits, true))).toEqual([...numbers])
  })

  it('take their bits there, and a byte on the CPU', async () => {
    const hp = testNumbers([16, 64], 'bfloat16')
    const weight = IntxUnpackedToInt8Tensor.fromHp(hp, {
      targetDtype: 'int3',
      granularity: PerGroup(32),
    })
    const there = await weight.to(device)
    expect(there.shape).toEqual([16, 64])
    expect([there.qdata.dtype, there.qdata.shape]).toEqual(['int32', [16, 6]])
    expect(weight.nbytes - there.nbytes).toBe((16 * 64 * 5) / 8)
    const made = IntxUnpackedToInt8Tensor.fromHp(await hp.to(device), {
      ...{ targetDtype: 'int3', granularity: PerGroup(32) },
    })
    expect(made.qdata.dtype).toBe('int32')
    for (const back of [await there.to(cpu), await made.to(cpu)]) {
      expect(elements(back.qdata)).toEqual(elements(weight.qdata))
      expect(String(back)).toBe(String(weight))
    }
    const { tensors } = IntxUnpackedToInt8Tensor.storedForm.flatten(there)
    expect(tensors['qdata']?.dtype).toBe('int8')
    expect(elements(await tensors['qdata']!.to(cpu))).toEqual(elements(weight.qdata))
  })

  it.each([null, 'int8_asym_per_token'] as const)(
    'multiply with scales that lie along N, and with rows of them: %s',
    async (activation) => {
      const weight = IntxUnpackedToInt8Tensor.fromHp(testNumbers([16, 96]), {
        ...{ targetDtype: 'int4', granularity: PerGroup(32), mappingType: 'ASYMMETRIC' },
        ...(activation && { activationQuantization: activation }),
      })
      const there = await weight.to(device)
      expect([there.scale.strides, there.zeroPoint.strides]).toEqual([
        [1, 16],
        [1, 16],
      ])
      const x = testNumbers([1, 96])
      const onGPU = await x.to(device)
      for (const rows of [(t: Tensor) => t, (t: Tensor) => t.slice(0, 4, 12)]) {
        const expected = await readFloat32(base.linear(x, rows(weight)))
        const got = await readFloat32(base.linear(onGPU, rows(there)))
        got.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 3))
      }
    },
  )

  it('are viewed as they are', async () => {
    const hp = testNumbers([16, 96], 'bfloat16')
    const weight = IntxUnpackedToInt8Tensor.fromHp(hp, {
      targetDtype: 'int3',
      granularity: PerGroup(32),
    })
    const there = await weight.to(device)
    for (const view of [
      (t: Tensor) => t,
      (t: Tensor) => t.slice(0, 3, 9),
      (t: Tensor) => t.slice(1, 32, 96),
      (t: Tensor) => t.select(0, 5),
      (t: Tensor) => t.transpose(0, 1),
      (t: Tensor) => t.transpose(0, 1).slice(0, 0, 32),
      (t: Tensor) => t.view([2, 8, 96]),
      (t: Tensor) => base.cat(base.chunk(t, 2, 0), 0),
    ]) {
      const [own, expected] = [view(there), view(weight)] as IntxUnpackedToInt8Tensor[]
      expect(own!.shape).toEqual(expected!.shape)
      const values = await readFloat32(own!.dequantize())
      expect(values).toEqual(await readFloat32(expected!.dequantize()))
    }
    expect(() => there.slice(1, 0, 16)).toThrow('whole blocks of 32')
    const small = { targetDtype: 'int3', granularity: PerGroup(16) } as const
    const cut = await IntxUnpackedToInt8Tensor.fromHp(hp, small).to(device)
    expect(() => cut.slice(1, 0, 16)).toThrow('whole blocks of 32, which lie together')
  })

  it.each(['int8', 'int4', 'int3'] as const)('of %s are looked up by rows', async (targetDtype) => {
    for (const granularity of [PerAxis(0), PerGroup(32)]) {
      const options = { targetDtype, granularity }
      const table = IntxUnpackedToInt8Tensor.fromHp(testNumbers([12, 64], 'bfloat16'), options)
      const ids = tensor(
        [
          [3, 0, 11],
          [5, 5, 1],
        ],
        { dtype: 'int32' },
      )
      const rows = embedding(await ids.to(device), await table.to(device))
      expect(rows.shape).toEqual([2, 3, 64])
      expect(await readFloat32(rows)).toEqual(await readFloat32(embedding(ids, table)))
    }
  })

  it('multiply as experts', async () => {
    const options = { targetDtype: 'int4', granularity: PerGroup(32) } as const
    const experts = IntxUnpackedToInt8Tensor.fromHp(testNumbers([3, 10, 64]), options)
    const x = testNumbers([3, 2, 64])
    const y = await readFloat32(bmm(await x.to(device), await experts.to(device)))
    const expected = await readFloat32(bmm(x, experts))
    y.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 4))
  })
})

describe.skipIf(!gpu)('weights at the ends of dtypes', () => {
  it.each(['SYMMETRIC', 'ASYMMETRIC'] as const)(
    'are what they are on the CPU, %s',
    async (mappingType) => {
      const fromHp = (weight: Tensor): IntxUnpackedToInt8Tensor =>
        IntxUnpackedToInt8Tensor.fromHp(weight, {
          ...{ targetDtype: 'int4', granularity: PerGroup(32), mappingType },
        })
      await expectSameExtremes(base, device, { fromHp: fromHp as never, shape: [6, 64] })
    },
  )
})

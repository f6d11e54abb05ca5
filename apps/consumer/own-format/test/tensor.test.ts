import * as base from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { testFormat } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { TernaryTensor, type TernaryOptions } from '../src/index.ts'

const by = (options: TernaryOptions) => (weight: base.Tensor) =>
  TernaryTensor.fromHp(weight, options)

testFormat(base, TernaryTensor, [
  {
    name: 'a scale for each row',
    fromHp: by({}),
    shape: [24, 128],
    sliceSteps: [1, 128],
    weightSqnr: 5.5,
    linearSqnr: 3.5,
  },
  {
    name: 'groups of 32',
    fromHp: by({ granularity: PerGroup(32) }),
    shape: [6, 192],
    sliceSteps: [1, 32],
    weightSqnr: 6,
    linearSqnr: 4.5,
  },
])

describe('the layout', () => {
  it('has the first number in the lowest two bits', () => {
    const row = [3, 0, -3, ...new Array<number>(13).fill(0)]
    const { qdata, scale } = TernaryTensor.fromHp(base.tensor([row]))
    // 2, 1, 0, then ones.
    expect((base.hostArray(qdata)[0] as number) >>> 0).toBe(0b01010101_01010101_01010101_01000110)
    expect(base.hostArray(scale)).toEqual(Float32Array.of(6 / 16))
  })

  it('takes two bits a number, and a scale of the same dtype for each group', () => {
    const weight = base.zeros([64, 256], 'bfloat16')
    expect(TernaryTensor.fromHp(weight).nbytes).toBe((64 * 256) / 4 + 64 * 2)
    expect(TernaryTensor.fromHp(weight, { granularity: PerGroup(64) }).nbytes).toBe(
      (64 * 256) / 4 + 256 * 2,
    )
  })

  it('keeps ternary weights as they are', () => {
    const values = Float32Array.from({ length: 4 * 32 }, (_, i) => 0.5 * ((i % 3) - 1))
    const weight = base.tensor(values, { shape: [4, 32] })
    const scaled = TernaryTensor.fromHp(weight).dequantize()
    const signs = (numbers: Float32Array): number[] => Array.from(numbers, Math.sign)
    expect(signs(base.hostFloat32(scaled))).toEqual(signs(values))
  })
})

describe('what it refuses', () => {
  const weight = base.zeros([2, 64])

  it('says which weights and groups it takes', () => {
    expect(() => TernaryTensor.fromHp(base.zeros([2, 40]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [ternary-tensor] Expected the group size to divide K=40, and to be a multiple of 16, got 40. No size does: K is no multiple of 16.]`,
    )
    expect(() =>
      TernaryTensor.fromHp(weight, { granularity: PerGroup(24) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [ternary-tensor] Expected the group size to divide K=64, and to be a multiple of 16, got 24. Use 16, 32 or 64.]`,
    )
  })

  it('says where it can be cut', () => {
    const grouped = TernaryTensor.fromHp(weight, { granularity: PerGroup(32) })
    expect(() => grouped.slice(1, 0, 16)).toThrow('in whole blocks of 32')
    expect(() => grouped.slice(0, 0, 2, 2)).toThrow('step')
  })

  it('checks parts that come from a file', () => {
    const { qdata, blockSize, shape } = TernaryTensor.fromHp(weight)
    const scale = base.zeros([2, 3])
    expect(() => new TernaryTensor({ qdata, scale, blockSize, shape })).toThrow(base.ShapeError)
    expect(() => new TernaryTensor({ qdata, scale, blockSize: [1, 24], shape })).toThrow(
      'multiple of 16',
    )
  })
})

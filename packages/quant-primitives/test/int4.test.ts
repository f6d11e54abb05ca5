import { hostArray, hostFloat32, meta, tensor, zeros, type StoredDType } from '@ao/base-tensor'
import { loadSpecGolden } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { quantizeInt4Groupwise, quantizeInt4GroupwiseSymmetric } from '../src/index.ts'

const cases = loadSpecGolden('int4').filter(({ op }) => /^int4_plain_(zp|sym)$/.test(op))

describe('groupwise int4 against torchao', () => {
  it.each(cases.map((golden) => [`${golden.op} ${golden.dtype} g${golden.group_size}`, golden]))(
    '%s',
    (_, golden) => {
      const weight = tensor(golden.input, { dtype: golden.dtype as StoredDType })
      const quantize =
        golden.op === 'int4_plain_zp' ? quantizeInt4Groupwise : quantizeInt4GroupwiseSymmetric
      const { codes, scale, zeroPoint } = quantize(weight, golden.group_size)
      const zeros = golden.scale.flat().map(() => 0)
      expect([...hostFloat32(scale)]).toEqual(golden.scale.flat())
      expect([...hostFloat32(zeroPoint)]).toEqual(golden.zero_point?.flat() ?? zeros)
      const signed = Array.from(hostArray(codes) as Uint8Array, (code) => code - 8)
      expect(signed).toEqual(golden.q_signed.flat())
    },
  )

  it('takes experts one by one', () => {
    const values = Array.from({ length: 2 * 3 * 64 }, (_, i) => Math.sin(i * i))
    const experts = tensor(values).view([2, 3, 64])
    const whole = quantizeInt4Groupwise(experts, 32)
    const second = quantizeInt4Groupwise(experts.select(0, 1), 32)
    expect(whole.scale.shape).toEqual([2, 2, 3])
    for (const part of ['codes', 'scale', 'zeroPoint'] as const) {
      expect(hostArray(whole[part].select(0, 1))).toEqual(hostArray(second[part]))
    }
  })

  it('plans without data', () => {
    const { codes, scale } = quantizeInt4Groupwise(zeros([6, 64], 'bfloat16', meta), 32)
    expect([codes.dtype, codes.shape]).toEqual(['uint8', [6, 64]])
    expect([scale.dtype, scale.shape]).toEqual(['bfloat16', [2, 6]])
  })

  it('refuses groups that do not divide K', () => {
    expect(() => quantizeInt4Groupwise(tensor([[1, 2, 3]]), 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/quant-primitives] Expected a weight (N, K) or (E, N, K) with K a multiple of the group size 2, got [1, 3].]`,
    )
  })
})

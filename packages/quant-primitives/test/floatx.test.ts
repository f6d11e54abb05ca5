import { cast, hostArray, hostFloat32, meta, tensor, zeros, type Tensor } from '@ao/base-tensor'
import {
  chooseQparamsAffineFloatx,
  dequantizeAffineFloatx,
  f32ToFloatxUnpacked,
  floatxUnpackedToF32,
  quantizeAffineFloatx,
} from '@ao/quant-primitives'
import { loadSpecGolden, toNumbers } from '@ao/test-data'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bits, expectPlanned, goldenCases } from './golden.ts'

const formats = [
  [3, 2, 28],
  [2, 3, 7.5],
  [2, 1, 6],
  [2, 2, 7],
  [3, 1, 24],
  [3, 0, 16],
  [4, 3, 480],
] as const

function allCodes(ebits: number, mbits: number): Tensor {
  const count = 2 ** (1 + ebits + mbits)
  return tensor(Array.from({ length: count }, (_, code) => code), { dtype: 'uint8' }) // prettier-ignore
}

describe('floatx codes as torchao', () => {
  it.each(goldenCases('floatx'))('%s', async (_, { args, inputs, outputs }) => {
    const { ebits, mbits } = args as { ebits: number; mbits: number }
    const x = inputs['x'] as Tensor
    const q = f32ToFloatxUnpacked(x, ebits, mbits)
    const back = floatxUnpackedToF32(q, ebits, mbits)
    expect(bits(q)).toEqual(bits(outputs['q'] as Tensor))
    expect(bits(back)).toEqual(bits(outputs['back'] as Tensor))
    expectPlanned(f32ToFloatxUnpacked(await x.to(meta), ebits, mbits), q)
    expectPlanned(floatxUnpackedToF32(await q.to(meta), ebits, mbits), back)
  })

  const small = loadSpecGolden('misc').filter(({ op }) => op === 'floatx')

  it('has five more formats', () => expect(small).toHaveLength(5))

  it.each(small.map((c) => [`e${c['ebits']}m${c['mbits']}`, c]))('%s', (_, c) => {
    const { ebits, mbits } = c as unknown as { ebits: number; mbits: number }
    const decoded = floatxUnpackedToF32(allCodes(ebits, mbits), ebits, mbits)
    expect(Array.from(hostFloat32(decoded))).toEqual(toNumbers(c['decode']))
    const codes = f32ToFloatxUnpacked(tensor(toNumbers(c['input'])), ebits, mbits)
    expect(Array.from(hostArray(codes) as Uint8Array)).toEqual(c['codes'])
  })
})

describe('floatx codes', () => {
  it.each(formats)('e%dm%d: every code comes back, and the largest is %d', (ebits, mbits, max) => {
    const codes = allCodes(ebits, mbits)
    const values = floatxUnpackedToF32(codes, ebits, mbits)
    expect(Math.max(...hostFloat32(values))).toBe(max)
    expect(bits(f32ToFloatxUnpacked(values, ebits, mbits))).toEqual(bits(codes))
  })

  it.each(formats)('e%dm%d: are the nearest, the even one on a tie', (ebits, mbits, max) => {
    const values = hostFloat32(floatxUnpackedToF32(allCodes(ebits, mbits), ebits, mbits))
    const magnitudes = values.subarray(0, values.length / 2)
    fc.assert(
      fc.property(fc.float({ min: 0, max: Math.fround(2 * max), noNaN: true }), (x) => {
        const code = hostArray(f32ToFloatxUnpacked(tensor([x]), ebits, mbits))[0] as number
        const error = Math.abs((magnitudes[code] as number) - x)
        magnitudes.forEach((other, c) => {
          const difference = Math.abs(other - x)
          expect(error).toBeLessThanOrEqual(difference)
          if (error === difference && c !== code) expect(code % 2).toBe(0)
        })
      }),
    )
  })

  it('saturate beyond the largest number, and keep signs of zero', () => {
    const odd = f32ToFloatxUnpacked(tensor([Infinity, -Infinity, NaN, 1e9, -0, 0, -1e-9]), 3, 2)
    expect(Array.from(hostArray(odd) as Uint8Array)).toEqual([31, 63, 31, 31, 32, 0, 32])
  })
})

describe('floatx quantization', () => {
  const x = tensor([
    [1, -2, 0.5, 7],
    [0, 0, 0, 0],
  ])

  it('scales each row to the largest number', async () => {
    const scale = chooseQparamsAffineFloatx(x, 2, 1)
    expect(Array.from(hostFloat32(scale))).toEqual([7 / 6, 1e-12 / 6].map(Math.fround))
    const q = quantizeAffineFloatx(x, scale, 2, 1)
    // x / (7 / 6) is 0.86, -1.71, 0.43 and 6.
    expect(Array.from(hostArray(q) as Uint8Array)).toEqual([2, 8 + 3, 1, 7, 0, 0, 0, 0])
    const dq = dequantizeAffineFloatx(q, scale, 2, 1)
    const row = [1, -1.5, 0.5, 6].map((v) => Math.fround(v * Math.fround(7 / 6)))
    expect(Array.from(hostFloat32(dq))).toEqual([...row, 0, 0, 0, 0])
    expect(bits(dequantizeAffineFloatx(q, scale, 2, 1, 'bfloat16'))).toEqual(
      bits(cast(dq, 'bfloat16')),
    )

    const planned = await x.to(meta)
    const plannedScale = chooseQparamsAffineFloatx(planned, 2, 1)
    const plannedCodes = quantizeAffineFloatx(planned, plannedScale, 2, 1)
    expectPlanned(plannedScale, scale)
    expectPlanned(plannedCodes, q)
    expectPlanned(dequantizeAffineFloatx(plannedCodes, plannedScale, 2, 1), dq)
  })

  it('gives scales in the dtype of the input', () => {
    const scale = chooseQparamsAffineFloatx(cast(x, 'bfloat16'), 3, 2)
    expect(scale.dtype).toBe('bfloat16')
    expect(bits(scale)).toEqual(bits(tensor([7 / 28, 1e-12 / 28], { dtype: 'bfloat16' })))
  })

  it('refuses what is no such format or matrix', () => {
    expect(() => f32ToFloatxUnpacked(x, 1, 2)).toThrow(
      '[@ao/quant-primitives] Expected at least 2 exponent bits and at most 8 bits with the sign, got ebits 1 and mbits 2.',
    )
    expect(() => floatxUnpackedToF32(x, 5, 3)).toThrow('got ebits 5 and mbits 3.')
    expect(() => chooseQparamsAffineFloatx(zeros([4]), 3, 2)).toThrow(
      '[@ao/quant-primitives] Expected an input of shape [N, K], got [4].',
    )
    expect(() => quantizeAffineFloatx(x, zeros([3]), 3, 2)).toThrow(
      '[@ao/quant-primitives] Expected a scale for each of 2 rows, got 3.',
    )
  })
})

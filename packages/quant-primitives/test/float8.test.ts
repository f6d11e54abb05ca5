import {
  cast,
  hostArray,
  hostFloat32,
  meta,
  tensor,
  zeros,
  type Float8DType,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  chooseScaleFloat8,
  dequantizeAffineFloat8,
  fakeQuantizeFp8Row,
  maybeExpandScaleToTensorShape,
  quantizeAffineFloat8,
} from '@ao/quant-primitives'
import { loadSpecGolden } from '@ao/test-data'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bits, expectPlanned, goldenCases, goldenTensor } from './golden.ts'

const bytes = (codes: Tensor): number[] => Array.from(hostArray(codes) as Uint8Array)
const ofBytes = (codes: Tensor): number[] => Array.from(hostFloat32(codes))

describe('float8 as torchao', () => {
  const cases = goldenCases('primitives_float8').filter(([, { op }]) => op === 'float8')

  it('has 36 cases', () => expect(cases).toHaveLength(36))

  it.each(cases)('%s', async (_, { args, inputs, outputs }) => {
    const x = inputs['x'] as Tensor
    const float8: Float8DType = args['float8_dtype']
    const scale = chooseScaleFloat8(x, args['block_size'], float8)
    const q = quantizeAffineFloat8(x, scale, float8)
    const dq = dequantizeAffineFloat8(q, scale, x.dtype as FloatDType)
    expect(bits(scale)).toEqual(bits(outputs['scale'] as Tensor))
    expect(bytes(q)).toEqual(bytes(outputs['q'] as Tensor))
    expect(bits(dq)).toEqual(bits(outputs['dq'] as Tensor))

    const planned = await x.to(meta)
    const plannedScale = chooseScaleFloat8(planned, args['block_size'], float8)
    const plannedCodes = quantizeAffineFloat8(planned, plannedScale, float8)
    expectPlanned(plannedScale, scale)
    expectPlanned(plannedCodes, q)
    expectPlanned(
      dequantizeAffineFloat8(plannedCodes, plannedScale, 'bfloat16'),
      cast(dq, 'bfloat16'),
    )
  })
})

describe('float8 as torchao, more inputs', () => {
  const golden = [...loadSpecGolden('float8'), ...loadSpecGolden('edge')].filter((c) =>
    c['op'].startsWith('float8'),
  )

  it('has 120 ordinary cases and 120 at the edges', () => expect(golden).toHaveLength(240))

  it.each(golden.map((c, i) => [`${i} ${c['name'] ?? ''} ${c['dtype']} ${c['float8']}`, c]))(
    '%s',
    (_, c) => {
      const x = goldenTensor(c['input'], c['dtype'])
      const scale = chooseScaleFloat8(x, c['block_size'] ?? [1, x.shape.at(-1)], c['float8'], {
        hpValueLb: c['hp_value_lb'] ?? undefined,
        hpValueUb: c['hp_value_ub'] ?? undefined,
      })
      const q = quantizeAffineFloat8(x, scale, c['float8'])
      expect(bits(scale)).toEqual(bits(goldenTensor(c['scale'])))
      expect(bytes(q)).toEqual(ofBytes(goldenTensor(c['q_bytes'])))
      const dq = dequantizeAffineFloat8(q, scale, c['dtype'])
      expect(bits(dq)).toEqual(bits(goldenTensor(c['dq'], c['dtype'])))
    },
  )
})

describe('scales', () => {
  it('round to powers of two as float8_e8m0fnu', () => {
    const x = tensor([[448 * 3], [448 * 2.8], [448 / 1024], [0]])
    const scale = chooseScaleFloat8(x, [1, 1], 'float8_e4m3fn', { scaleDtype: 'float8_e8m0fnu' })
    expect(Array.from(hostFloat32(scale))).toEqual([4, 2, 2 ** -10, 0])
  })

  it('keep all dimensions of any rank', () => {
    const x = zeros([4, 6, 8], 'bfloat16')
    expect(chooseScaleFloat8(x, [1, 6, 8]).shape).toEqual([4, 1, 1])
    expect(chooseScaleFloat8(x, [2, 1, -1]).shape).toEqual([2, 6, 1])
  })
})

describe('codes', () => {
  it('saturate, so that no finite number becomes NaN or infinite', () => {
    const x = tensor([[1e30, -1e30, 500, 448]])
    const one = tensor([1])
    const e4m3 = dequantizeAffineFloat8(quantizeAffineFloat8(x, one), one)
    expect(Array.from(hostFloat32(e4m3))).toEqual([448, -448, 448, 448])
    const e5m2 = dequantizeAffineFloat8(quantizeAffineFloat8(x, one, 'float8_e5m2'), one)
    expect(Array.from(hostFloat32(e5m2))).toEqual([57344, -57344, 512, 448])
  })

  it('come back from what they stand for, with scales of powers of two', () => {
    const codes = fc.array(
      fc.nat(255).filter((code) => (code & 0x7f) !== 0x7f),
      { minLength: 1, maxLength: 64 },
    )
    fc.assert(
      fc.property(codes, fc.integer({ min: -20, max: 20 }), (list, exponent) => {
        const scale = tensor([2 ** exponent])
        const q = tensor(list, { dtype: 'uint8' })
        const float8 = quantizeAffineFloat8(
          dequantizeAffineFloat8(asFloat8(q), scale),
          scale,
          'float8_e4m3fn',
        )
        expect(bytes(float8)).toEqual(list)
      }),
    )
  })
})

function asFloat8(codes: Tensor): Tensor {
  const q = zeros(codes.shape, 'float8_e4m3fn')
  ;(hostArray(q) as Uint8Array).set(hostArray(codes) as Uint8Array)
  return q
}

describe('maybeExpandScaleToTensorShape', () => {
  it('is the same scale where it broadcasts', () => {
    const shapes = [[3, 2, 8], [1], [], [3, 1, 1], [3, 2, 1], [1, 1, 8]]
    for (const shape of shapes) {
      const scale = zeros(shape)
      expect(maybeExpandScaleToTensorShape(scale, [3, 2, 8])).toBe(scale)
    }
  })

  it('repeats elements over their blocks otherwise', async () => {
    const scale = tensor([1, 2, 3, 4], { shape: [2, 1, 2], dtype: 'bfloat16' })
    const expanded = maybeExpandScaleToTensorShape(scale, [2, 2, 4])
    expect([expanded.shape, expanded.dtype]).toEqual([[2, 2, 4], 'bfloat16'])
    expect(Array.from(hostFloat32(expanded))).toEqual([
      1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4,
    ])
    expectPlanned(maybeExpandScaleToTensorShape(await scale.to(meta), [2, 2, 4]), expanded)
  })
})

describe('refused', () => {
  const x = zeros([4, 6])

  it('with a message', () => {
    const refused = [
      () => chooseScaleFloat8(zeros([4], 'int8'), [4]),
      () => chooseScaleFloat8(x, [1, 6], 'int8' as Float8DType),
      () => chooseScaleFloat8(x, [1, 4]),
      () => quantizeAffineFloat8(x, zeros([4])),
      () => quantizeAffineFloat8(x, zeros([4, 4])),
      () => quantizeAffineFloat8(zeros([4, 6], 'int32'), zeros([1])),
      () => dequantizeAffineFloat8(x, zeros([1])),
      () => dequantizeAffineFloat8(cast(x, 'float8_e5m2'), zeros([1]), 'int8' as FloatDType),
      () => maybeExpandScaleToTensorShape(zeros([3, 2]), [3, 2, 8]),
    ]
    expect(refused.map(messageOf)).toMatchInlineSnapshot(`
      [
        "[@ao/quant-primitives] Expected the input to be of float32, float16 or bfloat16, got int8.",
        "[@ao/quant-primitives] Expected the target dtype to be float8_e4m3fn or float8_e5m2, got int8.",
        "[@ao/granularity] Expected a block size that divides dimension 1 of size 6, got 4.",
        "[@ao/quant-primitives] Expected a scale of one element, or of sizes that divide [4, 6], got one of shape [4].",
        "[@ao/quant-primitives] Expected a scale of one element, or of sizes that divide [4, 6], got one of shape [4, 4].",
        "[@ao/quant-primitives] Expected the input to be of float32, float16 or bfloat16, got int32.",
        "[@ao/quant-primitives] Expected the input to be float8_e4m3fn or float8_e5m2, got float32.",
        "[@ao/quant-primitives] Expected the output to be of float32, float16 or bfloat16, got int8.",
        "[@ao/quant-primitives] Expected a scale of one element, or of sizes that divide [3, 2, 8], got one of shape [3, 2].",
      ]
    `)
  })
})

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}

describe('rows of inputs', () => {
  it('are what float8 makes of them, with a scale for each row', () => {
    const x = tensor([448, 17, -3.3, 0, 1e-3, -224, 0.5, 2], { shape: [2, 4] })
    const scale = tensor([1, 0.5], { shape: [2, 1] })
    const codes = quantizeAffineFloat8(x, scale, 'float8_e4m3fn')
    const expected = dequantizeAffineFloat8(codes, scale)
    expect(fakeQuantizeFp8Row(hostFloat32(x), 4)).toEqual(hostFloat32(expected))
  })

  it('that are nearly zero have the scale of a peak of 1 / 512', () => {
    const scale = Math.fround(1 / 512 / 448)
    const rounded = fakeQuantizeFp8Row(Float32Array.of(0, 1e-9, scale * 17), 3)
    expect([...rounded]).toEqual([0, 0, scale * 16])
  })

  it('leave the input as it was', () => {
    const values = Float32Array.of(1, 17.3)
    fakeQuantizeFp8Row(values, 2)
    expect([...values]).toEqual([1, Math.fround(17.3)])
  })
})

import {
  cast,
  hostArray,
  hostFloat32,
  meta,
  mul,
  tensor,
  zeros,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import {
  chooseQparamsAndQuantizeAffineHqq,
  chooseQparamsAndQuantizeScaleOnlyHqq,
  chooseQparamsAndQuantizeScaleOnlySinq,
  optimizeWeightsProximalLegacy,
  type HqqOptions,
} from '@ao/quant-primitives'
import { loadSpecGolden } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { bits, expectPlanned, goldenCases, goldenTensor } from './golden.ts'

/** Sums of means have no fixed order, so a few codes may differ. */
function expectCodes(ours: Tensor, expected: Tensor): void {
  expect([ours.shape, ours.dtype]).toEqual([expected.shape, expected.dtype])
  const a = hostArray(ours) as Uint8Array
  const b = hostArray(expected) as Uint8Array
  const equal = a.filter((code, i) => code === b[i]).length
  expect(equal / a.length).toBeGreaterThanOrEqual(0.995)
}

function expectClose(ours: Tensor, expected: Tensor): void {
  expect(ours.shape).toEqual(expected.shape)
  const a = hostFloat32(ours)
  hostFloat32(expected).forEach((value, i) => {
    expect(Math.abs((a[i] as number) - value)).toBeLessThanOrEqual(1e-4 * Math.abs(value))
  })
}

describe('HQQ as torchao', () => {
  const cases = goldenCases('primitives_hqq')
  const affine = cases.filter(([, { op }]) => op === 'hqq')
  const scaleOnly = cases.filter(([, { op }]) => op === 'hqq_scale_only')

  it('has 12 cases, and 3 of scales only', () =>
    expect([affine.length, scaleOnly.length]).toEqual([12, 3]))

  it.each(affine)('%s', async (_, { args, inputs, outputs }) => {
    const x = inputs['x'] as Tensor
    const options: HqqOptions = {
      nbits: args['nbits'],
      groupSize: args['group_size'],
      axis: args['axis'],
      rawOutput: args['raw_output'],
      computeDtype: 'float32',
    }
    const quantized = chooseQparamsAndQuantizeAffineHqq(x, options)
    expectCodes(quantized.qdata, outputs['q'] as Tensor)
    expectClose(quantized.scale, outputs['scale'] as Tensor)
    expectClose(quantized.zeroPoint, outputs['zero_point'] as Tensor)

    const planned = chooseQparamsAndQuantizeAffineHqq(await x.to(meta), options)
    expectPlanned(planned.qdata, quantized.qdata)
    expectPlanned(planned.scale, quantized.scale)
    expectPlanned(planned.zeroPoint, quantized.zeroPoint)
  })

  it.each(scaleOnly)('%s', async (_, { args, inputs, outputs }) => {
    const x = inputs['x'] as Tensor
    const rest = [args['block_size'], args['quant_min'], args['quant_max']] as const
    const quantized = chooseQparamsAndQuantizeScaleOnlyHqq(x, ...rest)
    expectCodes(quantized.qdata, outputs['q'] as Tensor)
    expectClose(quantized.scale, outputs['scale'] as Tensor)
    const planned = chooseQparamsAndQuantizeScaleOnlyHqq(await x.to(meta), ...rest)
    expectPlanned(planned.qdata, quantized.qdata)
    expectPlanned(planned.scale, quantized.scale)
  })

  const small = loadSpecGolden('misc').filter(({ op }) => op === 'hqq')

  it('has three more cases', () => expect(small).toHaveLength(3))

  it.each(small.map((c) => [JSON.stringify(c['kwargs']), c]))('%s', (_, c) => {
    const quantized = chooseQparamsAndQuantizeAffineHqq(goldenTensor(c['input']), {
      nbits: c['nbits'],
      groupSize: c['group_size'],
      computeDtype: 'float32',
      rawOutput: c['kwargs']['raw_output'] ?? false,
      optimize: c['kwargs']['optimize'] ?? true,
    })
    expectCodes(quantized.qdata, goldenTensor(c['q'], 'uint8'))
    expectClose(quantized.scale, goldenTensor(c['scale']))
    expectClose(quantized.zeroPoint, goldenTensor(c['zero']))
  })

  it('scales only, once more', () => {
    const [c] = loadSpecGolden('misc').filter(({ op }) => op === 'hqq_scale_only')
    const x = goldenTensor(c?.['input'])
    const { qdata, scale } = chooseQparamsAndQuantizeScaleOnlyHqq(x, [1, 32], -8, 7)
    expect(bits(qdata)).toEqual(bits(goldenTensor(c?.['q'], 'int32')))
    expectClose(scale, goldenTensor(c?.['scale']))
  })
})

const weights = goldenTensor(loadSpecGolden('misc').find(({ op }) => op === 'hqq')?.['input'])

describe('chooseQparamsAndQuantizeAffineHqq', () => {
  it('gives two forms of the same numbers', () => {
    const options = { groupSize: 32, computeDtype: 'float32' } as const
    const affine = chooseQparamsAndQuantizeAffineHqq(weights, options)
    const raw = chooseQparamsAndQuantizeAffineHqq(weights, { ...options, rawOutput: true })
    const value = (kept: typeof affine, middle: number) => (q: number, i: number) => {
      const s = hostFloat32(kept.scale)[Math.floor(i / 32)] as number
      const z = hostFloat32(kept.zeroPoint)[Math.floor(i / 32)] as number
      return middle ? (q - middle) * s + z : (q - z) * s
    }
    const a = hostFloat32(affine.qdata).map(value(affine, 8))
    const b = hostFloat32(raw.qdata).map(value(raw, 0))
    expect(sqnr(a, b)).toBeGreaterThan(100)
    expect(sqnr(hostFloat32(weights), a)).toBeGreaterThan(20)
  })

  it('along axis 0 is along axis 1 of the transposed groups', async () => {
    const options = { groupSize: 4, computeDtype: 'float32', rawOutput: true } as const
    const columns = chooseQparamsAndQuantizeAffineHqq(weights, { ...options, axis: 0 })
    const turned = (weights as DenseTensor).transpose(0, 1).contiguous()
    const rows = chooseQparamsAndQuantizeAffineHqq(turned, options)
    expect(columns.scale.shape).toEqual([1, 64])
    expect(hostFloat32(columns.scale)).toEqual(hostFloat32(rows.scale))
    expect(hostArray((columns.qdata as DenseTensor).transpose(0, 1))).toEqual(hostArray(rows.qdata))
    const planned = chooseQparamsAndQuantizeAffineHqq(await weights.to(meta), {
      ...options,
      axis: 0,
    })
    expectPlanned(planned.scale, columns.scale)
  })

  it('gives a constant group the smallest step', () => {
    const flat = cast(mul(zeros([1, 64]), tensor([1])), 'bfloat16')
    const { qdata, scale } = chooseQparamsAndQuantizeAffineHqq(flat)
    expect([scale.dtype, scale.shape]).toEqual(['float16', [1, 1]])
    expect(hostFloat32(scale)[0]).toBeCloseTo(5e-5, 7)
    expect(new Set(hostFloat32(qdata))).toEqual(new Set([0]))
  })

  it('rounds parameters to the compute dtype first when it does not optimize', () => {
    const options = { groupSize: 32, optimize: false } as const
    const exact = chooseQparamsAndQuantizeAffineHqq(weights, {
      ...options,
      computeDtype: 'float32',
    })
    const coarse = chooseQparamsAndQuantizeAffineHqq(weights, {
      ...options,
      computeDtype: 'bfloat16',
    })
    expect(coarse.scale.dtype).toBe('bfloat16')
    expect(sqnr(hostFloat32(exact.scale), hostFloat32(coarse.scale))).toBeGreaterThan(40)
    expect(bits(coarse.scale)).not.toEqual(bits(cast(exact.scale, 'bfloat16')))
  })

  it('takes another optimizer', () => {
    const seen: number[] = []
    chooseQparamsAndQuantizeAffineHqq(weights, {
      groupSize: 32,
      optimizeWeights: (w, start, maxCode) => {
        seen.push(w.length, start.scale.length, maxCode)
        return optimizeWeightsProximalLegacy(w, start, maxCode, { iters: 1, lpNorm: 1 })
      },
    })
    expect(seen).toEqual([256, 8, 15])
  })

  it('refuses groups and bits that do not fit', () => {
    expect(() => chooseQparamsAndQuantizeAffineHqq(weights, { groupSize: 48 })).toThrow(
      '[@ao/quant-primitives] Expected groupSize to divide 256 elements, got 48.',
    )
    expect(() => chooseQparamsAndQuantizeAffineHqq(weights, { nbits: 9 })).toThrow(
      '[@ao/quant-primitives] Expected nbits in 1..8 and axis 0 or 1, got nbits 9 and axis 1.',
    )
    expect(() =>
      chooseQparamsAndQuantizeAffineHqq(weights, { groupSize: 128, rawOutput: true }),
    ).toThrow('Expected a multiple of 4 groups to show along axis 1, got 2.')
  })
})

describe('optimizeWeightsProximalLegacy', () => {
  const w = hostFloat32(weights)
  const start = { scale: new Float32Array(8).fill(3), zero: new Float32Array(8).fill(8) }

  it('leaves what it is given, and never moves the scale', () => {
    const solution = optimizeWeightsProximalLegacy(w, start, 15)
    expect(solution.scale).toEqual(start.scale)
    expect(start.zero).toEqual(new Float32Array(8).fill(8))
    expect(solution.zero).not.toEqual(start.zero)
  })

  it('stops early, unless told not to', () => {
    const early = optimizeWeightsProximalLegacy(w, start, 15)
    const late = optimizeWeightsProximalLegacy(w, start, 15, { earlyStop: false, iters: 40 })
    expect(late.zero).not.toEqual(early.zero)
    expect(optimizeWeightsProximalLegacy(w, start, 15, { iters: 0 }).zero).toEqual(start.zero)
  })
})

describe('chooseQparamsAndQuantizeScaleOnlyHqq', () => {
  it('keeps the smallest scale for groups of zeros', () => {
    const { qdata, scale } = chooseQparamsAndQuantizeScaleOnlyHqq(zeros([1, 8]), [1, 4], -8, 7)
    expect(Array.from(hostFloat32(scale))).toEqual([2 ** -23, 2 ** -23])
    expect(new Set(hostFloat32(qdata))).toEqual(new Set([0]))
  })

  it('rounds up as often as the random numbers say', () => {
    const x = tensor([[0.5, 0.25, 1, -1]])
    const options = { iters: 1, stochastic: () => 0.9 }
    const up = chooseQparamsAndQuantizeScaleOnlyHqq(x, [1, 4], -1, 1, options)
    expect(Array.from(hostArray(up.qdata) as Int32Array)).toEqual([1, 1, 1, -1])
  })

  it('gives scales of the dtype of the input', () => {
    const x = cast(weights, 'bfloat16')
    expect(chooseQparamsAndQuantizeScaleOnlyHqq(x, [1, 64], -4, 3).scale.dtype).toBe('bfloat16')
  })

  it('refuses blocks and bounds that do not fit', () => {
    expect(() => chooseQparamsAndQuantizeScaleOnlyHqq(weights, [1, 48], -8, 7)).toThrow(
      '[@ao/quant-primitives] Expected a block size [1, groupSize] that divides the rows of an input [N, K], got [1, 48] for [4, 64].',
    )
    expect(() => chooseQparamsAndQuantizeScaleOnlyHqq(weights, [2, 32], -8, 7)).toThrow(
      'got [2, 32]',
    )
    expect(() => chooseQparamsAndQuantizeScaleOnlyHqq(weights, [1, 32], 7, 7)).toThrow(
      '[@ao/quant-primitives] Expected quantMin below quantMax, got 7..7.',
    )
  })
})

describe('SINQ', () => {
  it('equals torchao', async () => {
    const [c] = loadSpecGolden('misc').filter(({ op }) => op === 'sinq')
    const x = goldenTensor(c?.['input'])
    const options = { groupSize: 32, computeDtype: 'float32' } as const
    const quantized = chooseQparamsAndQuantizeScaleOnlySinq(x, options)
    expect(bits(quantized.qdata)).toEqual(bits(goldenTensor(c?.['q'], 'int8')))
    expectClose(quantized.scaleRow, goldenTensor(c?.['scale_row']))
    expectClose(quantized.scaleCol, goldenTensor(c?.['scale_col']))

    const planned = chooseQparamsAndQuantizeScaleOnlySinq(await x.to(meta), options)
    expectPlanned(planned.qdata, quantized.qdata)
    expectPlanned(planned.scaleRow, quantized.scaleRow)
    expectPlanned(planned.scaleCol, quantized.scaleCol)
  })

  it.each(['float16', 'bfloat16', 'float32'] as const)('rebuilds weights in %s', (computeDtype) => {
    const { qdata, scaleRow, scaleCol } = chooseQparamsAndQuantizeScaleOnlySinq(weights, {
      groupSize: 16,
      computeDtype,
    })
    expect([scaleRow.dtype, scaleRow.shape, scaleCol.shape]).toEqual([computeDtype, [4, 4], [64]])
    const row = hostFloat32(scaleRow)
    const column = hostFloat32(scaleCol)
    const back = hostFloat32(qdata).map(
      (q, i) => q * (row[Math.floor(i / 16)] as number) * (column[i % 64] as number),
    )
    expect(sqnr(hostFloat32(weights), back)).toBeGreaterThan(18)
  })

  it('refuses groups and bounds that do not fit', () => {
    expect(() => chooseQparamsAndQuantizeScaleOnlySinq(weights, { groupSize: 48 })).toThrow(
      '[@ao/quant-primitives] Expected groupSize to divide the rows of an input [N, K], got 48 for [4, 64].',
    )
    expect(() => chooseQparamsAndQuantizeScaleOnlySinq(weights, { quantMax: 128 })).toThrow(
      '[@ao/quant-primitives] Expected quantMin below quantMax, both within int8, got -8..128.',
    )
  })
})

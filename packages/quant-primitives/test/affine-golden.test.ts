import { meta, type FloatDType, type StoredDType, type Tensor } from '@ao/base-tensor'
import {
  chooseQparamsAffine,
  dequantizeAffine,
  quantizeAffine,
  type ChooseQparamsOptions,
} from '@ao/quant-primitives'
import { loadSpecGolden, type GoldenCase } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { bits, expectPlanned, goldenCases, goldenTensor } from './golden.ts'

/** Options of a golden case, where null is Python's None. */
function optionsOf(args: GoldenCase<Tensor>['args']): ChooseQparamsOptions {
  return {
    quantMin: args['quant_min'] ?? undefined,
    quantMax: args['quant_max'] ?? undefined,
    eps: args['eps'] ?? undefined,
    scaleDtype: args['scale_dtype'] ?? undefined,
    zeroPointDtype: args['zero_point_dtype'] ?? undefined,
  }
}

describe('affine quantization as torchao', () => {
  it.each(goldenCases('primitives_affine'))('%s', async (_, { args, inputs, outputs }) => {
    const x = inputs['x'] as Tensor
    const block: number[] = args['block_size']
    const target: StoredDType = args['target_dtype']
    const expected = outputs['dq'] as Tensor
    const options = { ...optionsOf(args), outputDtype: expected.dtype as FloatDType }

    const qparams = chooseQparamsAffine(x, args['mapping_type'], block, target, options)
    const { scale, zeroPoint } = qparams
    const q = quantizeAffine(x, block, scale, zeroPoint, target, options)
    const dq = dequantizeAffine(q, block, scale, zeroPoint, target, options)
    expect(bits(scale)).toEqual(bits(outputs['scale'] as Tensor))
    expect(bits(zeroPoint)).toEqual(bits(outputs['zero_point'] as Tensor))
    expect(bits(q)).toEqual(bits(outputs['q'] as Tensor))
    expect(bits(dq)).toEqual(bits(expected))

    const planned = await x.to(meta)
    const plannedQparams = chooseQparamsAffine(
      planned,
      args['mapping_type'],
      block,
      target,
      options,
    )
    expectPlanned(plannedQparams.scale, scale)
    expectPlanned(plannedQparams.zeroPoint, zeroPoint)
  })
})

describe('affine quantization as torchao, more inputs', () => {
  const golden = [...loadSpecGolden('affine'), ...loadSpecGolden('edge')].filter((c) =>
    c['op'].startsWith('affine'),
  )

  it('has 180 ordinary cases and 330 at the edges', () => expect(golden).toHaveLength(510))

  it.each(golden.map((c, i) => [`${i} ${c['name'] ?? ''} ${c['dtype']} ${c['mapping']}`, c]))(
    '%s',
    (_, c) => {
      const x = goldenTensor(c['input'], c['dtype'])
      const block = c['block_size'] ?? [1, x.shape[1]]
      const scaleDtype: StoredDType = c['scale_dtype'] ?? c['dtype']
      const bounds = { quantMin: c['qmin'], quantMax: c['qmax'] }
      const qparams = chooseQparamsAffine(x, c['mapping'], block, c['target'], {
        ...bounds,
        eps: c['eps'] ?? undefined,
        scaleDtype,
      })
      const { scale, zeroPoint } = qparams
      expect(bits(scale)).toEqual(bits(goldenTensor(c['scale'], scaleDtype)))
      expect(bits(zeroPoint)).toEqual(bits(goldenTensor(c['zero_point'], 'int32')))
      const q = quantizeAffine(x, block, scale, zeroPoint, c['target'], bounds)
      expect(bits(q)).toEqual(bits(goldenTensor(c['q'], c['target'])))
      const dq = dequantizeAffine(q, block, scale, zeroPoint, c['target'], {
        ...bounds,
        outputDtype: c['dtype'],
      })
      expect(bits(dq)).toEqual(bits(goldenTensor(c['dq'], c['dtype'])))
    },
  )
})

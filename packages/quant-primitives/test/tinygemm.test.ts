import { meta, tensor, type Tensor } from '@ao/base-tensor'
import {
  chooseQparamsAffineDontPreserveZero,
  chooseQparamsAffineTinygemm,
  dequantizeAffineTinygemm,
  quantizeAffineTinygemm,
} from '@ao/quant-primitives'
import { loadSpecGolden } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { bits, expectPlanned, goldenCases, goldenTensor } from './golden.ts'

const UINT4 = { quantMin: 0, quantMax: 15 }
const golden = goldenCases('primitives_tinygemm')

describe('tinygemm as torchao', () => {
  it.each(golden.filter(([, { op }]) => op === 'tinygemm'))(
    '%s',
    async (_, { args, inputs, outputs }) => {
      const x = inputs['x'] as Tensor
      const block: number[] = args['block_size']
      const codes = outputs['q'] as Tensor
      const { scale, zeroPoint } = chooseQparamsAffineTinygemm(
        x,
        'ASYMMETRIC',
        block,
        'int32',
        UINT4,
      )
      expect(bits(scale)).toEqual(bits(outputs['scale'] as Tensor))
      expect(bits(zeroPoint)).toEqual(bits(outputs['zero_point'] as Tensor))
      const q = quantizeAffineTinygemm(x, block, scale, zeroPoint, codes.dtype, UINT4)
      expect(bits(q)).toEqual(bits(codes))
      const options = { ...UINT4, outputDtype: (outputs['dq'] as Tensor).dtype as 'float32' }
      const dq = dequantizeAffineTinygemm(q, block, scale, zeroPoint, codes.dtype, options)
      expect(bits(dq)).toEqual(bits(outputs['dq'] as Tensor))

      const planned = await x.to(meta)
      const qparams = chooseQparamsAffineTinygemm(planned, 'ASYMMETRIC', block, 'int32', UINT4)
      expectPlanned(qparams.zeroPoint, zeroPoint)
      const plannedCodes = quantizeAffineTinygemm(
        planned,
        block,
        qparams.scale,
        qparams.zeroPoint,
        codes.dtype,
        UINT4,
      )
      expectPlanned(plannedCodes, q)
      expectPlanned(
        dequantizeAffineTinygemm(
          plannedCodes,
          block,
          qparams.scale,
          qparams.zeroPoint,
          codes.dtype,
          options,
        ),
        dq,
      )
    },
  )

  it.each(loadSpecGolden('tinygemm').map((c, i) => [`${i} ${c['dtype']}`, c]))('%s', (_, c) => {
    const x = goldenTensor(c['input'], c['dtype'])
    const block = c['block_size']
    const { scale, zeroPoint } = chooseQparamsAffineTinygemm(x, 'ASYMMETRIC', block, 'int32', UINT4)
    expect(bits(scale)).toEqual(bits(goldenTensor(c['scale'], c['dtype'])))
    expect(bits(zeroPoint)).toEqual(bits(goldenTensor(c['zero_point'], c['dtype'])))
    const q = quantizeAffineTinygemm(x, block, scale, zeroPoint, 'int32', UINT4)
    expect(bits(q)).toEqual(bits(goldenTensor(c['q'], 'int32')))
    const dq = dequantizeAffineTinygemm(q, block, scale, zeroPoint, 'int32', {
      ...UINT4,
      outputDtype: c['dtype'],
    })
    expect(bits(dq)).toEqual(bits(goldenTensor(c['dq'], c['dtype'])))
  })

  it('gives a constant block back exactly', () => {
    const x = tensor([[3.25, 3.25, 3.25, 3.25]])
    const { scale, zeroPoint } = chooseQparamsAffineTinygemm(
      x,
      'ASYMMETRIC',
      [1, 4],
      'uint8',
      UINT4,
    )
    const q = quantizeAffineTinygemm(x, [1, 4], scale, zeroPoint, 'uint8', UINT4)
    const dq = dequantizeAffineTinygemm(q, [1, 4], scale, zeroPoint, 'uint8', UINT4)
    expect(bits(q)).toEqual(bits(tensor([[0, 0, 0, 0]], { dtype: 'uint8' })))
    expect(bits(dq)).toEqual(bits(x))
  })

  it('refuses symmetric mappings', () => {
    const choose = (): unknown =>
      chooseQparamsAffineTinygemm(tensor([[1, 2]]), 'SYMMETRIC', [1, 2], 'uint8', UINT4)
    expect(choose).toThrow('Expected a mapping of ASYMMETRIC, got SYMMETRIC.')
  })
})

describe('dont_preserve_zero as torchao', () => {
  it.each(golden.filter(([, { op }]) => op === 'dont_preserve_zero'))(
    '%s',
    (_, { args, inputs, outputs }) => {
      const { scale, zeroPoint } = chooseQparamsAffineDontPreserveZero(
        inputs['x'] as Tensor,
        'ASYMMETRIC',
        args['block_size'],
        'int32',
        UINT4,
      )
      expect(bits(scale)).toEqual(bits(outputs['scale'] as Tensor))
      expect(bits(zeroPoint)).toEqual(bits(outputs['zero_point'] as Tensor))
    },
  )

  it('saturates the zero point of a block that has no zero', () => {
    const x = tensor([[5, 6]])
    const { zeroPoint } = chooseQparamsAffineDontPreserveZero(x, 'ASYMMETRIC', [1, 2], 'int8')
    expect(bits(zeroPoint)).toEqual(bits(tensor([-128], { dtype: 'int32' })))
  })
})

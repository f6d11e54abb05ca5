import { bmm, cast, hostFloat32, linear, slice, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { sqnr } from '@ao/test-kit'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int4Tensor } from '../src/index.ts'

const cases = golden('int4_plain').map((vector) => [vector.name, vector] as const)

const symmetric = cases.filter(([, { op }]) => op === 'int4_plain_symmetric')

describe('Int4Tensor against torchao', () => {
  it.each(cases)('%s', (_, { op, args, inputs, outputs }) => {
    const w = inputs['w'] as Tensor
    const granularity = PerGroup(args['group_size'] as number)
    const activationDtype = op === 'int4_plain_symmetric' ? 'float8_e4m3fn' : 'bfloat16'
    const whole = Int4Tensor.fromHp(w, { granularity, activationDtype })
    const isSlice = op === 'int4_plain_slice'
    const weight = isSlice
      ? (slice(whole, args['dim'], args['start'], args['end']) as Int4Tensor)
      : whole
    for (const [name, part] of [
      ['qdata', weight.qdata],
      ['scale', weight.scale],
      ['zero_point', weight.zeroPoint],
    ] as const) {
      if (!outputs[name]) continue
      // The golden scale of the symmetric form is from before its cast to the weight's dtype: see below.
      const expected = name === 'scale' ? cast(outputs[name], w.dtype) : outputs[name]
      expect(part.shape, name).toEqual(expected.shape)
      expect(part.dtype, name).toBe(expected.dtype)
      expect(elements(part.contiguous()), name).toEqual(elements(expected))
    }
    if (outputs['dequant_f32']) {
      expect(elements(weight.dequantize('float32'))).toEqual(elements(outputs['dequant_f32']))
    }
    if (outputs['y_f32']) {
      const product = op === 'int4_plain_bmm' ? bmm : linear
      const y = product(inputs['x'] as Tensor, weight)
      const least = y.dtype === 'float32' ? 100 : 50
      expect(sqnr(hostFloat32(outputs['y_f32']), hostFloat32(y))).toBeGreaterThan(least)
    }
  })

  // Arithmetic is in float32 whatever the weight's dtype is, so the same numbers in float32 have the scale
  // from before the cast.
  it.each(symmetric)('%s, the scale before its cast', (_, { args, inputs, outputs }) => {
    const w = cast(inputs['w'] as Tensor, 'float32')
    const granularity = PerGroup(args['group_size'] as number)
    const { qdata, scale } = Int4Tensor.fromHp(w, { granularity, activationDtype: 'float8_e4m3fn' })
    expect(scale.dtype).toBe(outputs['scale']?.dtype)
    expect(elements(scale)).toEqual(elements(outputs['scale']))
    expect(elements(qdata)).toEqual(elements(outputs['qdata']))
  })
})

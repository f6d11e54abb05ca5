import { hostFloat32, linear, tensor, type FloatDType, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { loadSpecGolden, toNumbers } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int4PlainInt32Tensor } from '../src/index.ts'

const cases = golden('int4_plain_int32').map((vector) => [vector.name, vector] as const)

describe('Int4PlainInt32Tensor against torchao', () => {
  it.each(cases)('%s', (_, { args, inputs, outputs }) => {
    const weight = Int4PlainInt32Tensor.fromHp(inputs['w'] as Tensor, {
      granularity: PerGroup(args['group_size']),
    })
    for (const [name, part] of [
      ['qdata', weight.qdata],
      ['scale', weight.scale],
      ['zero_point', weight.zeroPoint],
      ['dequant_f32', weight.dequantize('float32')],
    ] as const) {
      const expected = outputs[name] as Tensor
      expect(part.shape, name).toEqual(expected.shape)
      expect(part.dtype, name).toBe(expected.dtype)
      expect(elements(part), name).toEqual(elements(expected))
    }
    const y = linear(inputs['x'] as Tensor, weight)
    expect(y.dtype).toBe(weight.dtype)
    expect(sqnr(hostFloat32(outputs['y_f32'] as Tensor), hostFloat32(y))).toBeGreaterThan(50)
  })

  it('in words, codes and zero points of torchao on an XPU', () => {
    const stored = loadSpecGolden('int4').filter((each) => each['op'] === 'int4_plain_int32_xpu')
    expect(stored.length).toBe(2)
    for (const each of stored) {
      const w = tensor(toNumbers(each['input']), { dtype: each['dtype'] as FloatDType })
      const granularity = PerGroup(each['group_size'])
      const weight = Int4PlainInt32Tensor.fromHp(w, { granularity })
      expect(elements(weight.qdata)).toEqual(each['qdata_int32'].flat())
      expect(elements(weight.toCodes().codes)).toEqual(each['q'].flat())
      expect(elements(weight.zeroPoint)).toEqual(each['zero_point_int8'].flat())
      expect(Array.from(hostFloat32(weight.scale))).toEqual(each['scale'].flat())
    }
  })
})

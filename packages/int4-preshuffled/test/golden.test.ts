import { bmm, cast, hostFloat32, linear, slice, type DenseTensor } from '@ao/base-tensor'
import { sqnr } from '@ao/test-kit'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int4PreshuffledTensor } from '../src/index.ts'

const cases = golden('int4_plain').map((vector) => [vector.name, vector] as const)
const FLOAT8_STEP = 2 ** -4 // half a step, of a scale's magnitude

describe('Int4PreshuffledTensor against the plain form of torchao', () => {
  it.each(cases)('%s', (_, { op, args, inputs, outputs }) => {
    const w = inputs['w'] as DenseTensor
    const blockSize = w.shape.map((_, d) => (d === w.ndim - 1 ? (args['group_size'] as number) : 1))
    const isFloat8 = op === 'int4_plain_symmetric'
    const activationDtype = isFloat8 ? 'float8_e4m3fn' : 'bfloat16'
    const whole = Int4PreshuffledTensor.fromHp(w, { blockSize, activationDtype })
    const weight =
      op === 'int4_plain_slice'
        ? (slice(whole, args['dim'], args['start'], args['end']) as Int4PreshuffledTensor)
        : whole
    const { tensors } = Int4PreshuffledTensor.storedForm.flatten(weight)
    const { qdata, scale, zeroPoint } = tensors as Record<string, DenseTensor>
    expect(qdata?.shape).toEqual(outputs['qdata']?.shape)
    expect(elements(qdata!)).toEqual(elements(outputs['qdata']!))
    if (isFloat8) {
      const exact = hostFloat32(outputs['scale']!)
      hostFloat32(scale!).forEach((value, i) => {
        expect(Math.abs(value / exact[i]! - 1)).toBeLessThanOrEqual(FLOAT8_STEP)
      })
    } else {
      expect(elements(scale!)).toEqual(elements(outputs['scale']!))
      expect(elements(zeroPoint!)).toEqual(elements(outputs['zero_point']!))
    }
    if (outputs['dequant_f32']) {
      expect(elements(weight.dequantize('float32'))).toEqual(elements(outputs['dequant_f32']))
    }
    if (outputs['y_f32']) {
      const product = op === 'int4_plain_bmm' ? bmm : linear
      const y = product(inputs['x']!, weight)
      const least = y.dtype === 'float32' ? 100 : 50
      expect(sqnr(hostFloat32(outputs['y_f32']), hostFloat32(y))).toBeGreaterThan(least)
      expect(elements(cast(y, w.dtype))).toEqual(elements(y))
    }
  })
})

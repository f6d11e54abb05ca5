import {
  bmm,
  cast,
  hostFloat32,
  linear,
  slice,
  tensor,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { sqnr } from '@ao/test-kit'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int4PreshuffledTensor } from '../src/index.ts'

const cases = golden('int4_plain').map((vector) => [vector.name, vector] as const)

/** torchao's scales (G, N) as this format holds them: float8 times the largest of each column, in float32. */
function throughFloat8(exact: Tensor, dtype: FloatDType): Tensor {
  const scales = hostFloat32(cast(exact, dtype))
  const [groups, n] = exact.shape as [number, number]
  const column = (i: number): number[] =>
    Array.from({ length: groups }, (_, g) => Math.abs(scales[g * n + (i % n)] as number))
  const peaks = Array.from(scales, (_, i) => Math.max(...column(i)))
  const shares = tensor(
    Array.from(scales, (scale, i) => Math.fround(scale / (peaks[i] as number))),
    { shape: exact.shape },
  )
  const rounded = hostFloat32(cast(cast(shares, 'float8_e4m3fn'), 'float32'))
  const products = Array.from(rounded, (share, i) => Math.fround(share * (peaks[i] as number)))
  return cast(tensor(products, { shape: exact.shape }), dtype)
}

describe('Int4PreshuffledTensor against the plain form of torchao', () => {
  it.each(cases)('%s', (_, { op, args, inputs, outputs }) => {
    const w = inputs['w'] as DenseTensor
    const granularity = PerGroup(args['group_size'] as number)
    const isFloat8 = op === 'int4_plain_symmetric'
    const activationDtype = isFloat8 ? 'float8_e4m3fn' : 'bfloat16'
    const whole = Int4PreshuffledTensor.fromHp(w, { granularity, activationDtype })
    const weight =
      op === 'int4_plain_slice'
        ? (slice(whole, args['dim'], args['start'], args['end']) as Int4PreshuffledTensor)
        : whole
    const { tensors } = Int4PreshuffledTensor.storedForm.flatten(weight)
    const { qdata, scale, zeroPoint } = tensors as Record<string, DenseTensor>
    expect(qdata?.shape).toEqual(outputs['qdata']?.shape)
    expect(elements(qdata!)).toEqual(elements(outputs['qdata']!))
    if (isFloat8) {
      const expected = throughFloat8(outputs['scale']!, w.dtype as FloatDType)
      expect(elements(scale!)).toEqual(elements(expected))
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

import { hostFloat32, linear, type DenseTensor, type Tensor } from '@ao/base-tensor'
import { PerRow, PerTensor } from '@ao/granularity'
import { sqnr } from '@ao/test-kit'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Float8Tensor, QuantizeTensorToFloat8Kwargs } from '../src/index.ts'

describe('linear as torchao', () => {
  it.each(golden('float8_linear'))('$name', ({ op, args, inputs, outputs }) => {
    const granularity = args['granularity']?.type === 'PerTensor' ? PerTensor() : PerRow()
    const weight = Float8Tensor.fromHp(inputs['w'] as Tensor, {
      granularity,
      ...(op === 'float8_dynamic' && {
        actQuantKwargs: QuantizeTensorToFloat8Kwargs({ granularity }),
      }),
    })
    expect(elements(weight.qdata)).toEqual(elements(outputs['qdata']))
    expect(elements(weight.scale)).toEqual(elements(outputs['scale']))
    const y = linear(inputs['x'] as Tensor, weight) as DenseTensor
    expect(y.dtype).toBe('bfloat16')
    expect(sqnr(hostFloat32(outputs['y'] as Tensor), hostFloat32(y))).toBeGreaterThan(40)
  })

  it('has three cases', () => expect(golden('float8_linear')).toHaveLength(3))
})

import { hostFloat32, linear, narrow, select, type DenseTensor } from '@ao/base-tensor'
import type { MappingType } from '@ao/quant-primitives'
import type { GoldenCase } from '@ao/test-data'
import { maxRelativeToPeak, sqnr } from '@ao/test-kit'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int8Tensor, QuantizeTensorToInt8Kwargs } from '../src/index.ts'
import { granularityOf } from './support.ts'

function expectSame(tensor: DenseTensor | undefined, stored: DenseTensor | undefined): void {
  expect(tensor?.dtype).toBe(stored?.dtype)
  expect(elements(tensor)).toEqual(elements(stored))
}

function expectClose(y: DenseTensor, stored: DenseTensor): void {
  expect(y.dtype).toBe(stored.dtype)
  expect(y.shape).toEqual(stored.shape)
  const [out, reference] = [hostFloat32(y), hostFloat32(stored)]
  if (y.dtype === 'float32') expect(maxRelativeToPeak(reference, out)).toBeLessThan(1e-5)
  else expect(sqnr(reference, out)).toBeGreaterThan(y.dtype === 'float16' ? 55 : 40)
}

function expectOutputs(weight: Int8Tensor, { inputs, outputs }: GoldenCase<DenseTensor>): void {
  const { x, bias } = inputs
  if (outputs['y']) expectClose(linear(x!, weight) as DenseTensor, outputs['y'])
  if (outputs['y_bias']) expectClose(linear(x!, weight, bias) as DenseTensor, outputs['y_bias'])
}

describe('weights as torchao quantizes them', () => {
  it.each(golden('int8_weight_only'))('$name', (stored) => {
    const { args, inputs, outputs } = stored
    const weight = Int8Tensor.fromHp(inputs['w']!, {
      granularity: granularityOf(args['granularity']),
      mappingType: args['mapping_type'] as MappingType,
      reduceRange: args['reduce_range'] as boolean,
    })
    expect(weight.blockSize).toEqual(args['block_size'])
    expectSame(weight.qdata, outputs['qdata'])
    expectSame(weight.scale, outputs['scale'])
    expectSame(weight.zeroPoint, outputs['zero_point'])
    expectSame(weight.dequantize(), outputs['dequant'])
    expectOutputs(weight, stored)
  })
})

describe('dynamic activations as torchao quantizes them', () => {
  it.each(golden('int8_dynamic'))('$name', (stored) => {
    const { args, inputs, outputs } = stored
    const actQuantKwargs = QuantizeTensorToInt8Kwargs({
      granularity: granularityOf(args['act_granularity']),
      mappingType: args['act_mapping_type'] as MappingType,
    })
    const granularity = granularityOf(args['weight_granularity'])
    const weight = Int8Tensor.fromHp(inputs['w']!, { granularity, actQuantKwargs })
    expectSame(weight.qdata, outputs['qdata'])
    expectSame(weight.scale, outputs['scale'])
    const x = Int8Tensor.fromHp(inputs['x']!, {
      granularity: actQuantKwargs.granularity,
      mappingType: actQuantKwargs.mappingType,
      reduceRange: actQuantKwargs.reduceRange,
    })
    expectSame(x.qdata, outputs['x_qdata'])
    expectSame(x.scale, outputs['x_scale'])
    expectSame(x.zeroPoint, outputs['x_zero_point'])
    expectOutputs(weight, stored)
  })
})

describe('static activations and pre-scales', () => {
  it.each(golden('int8_static'))('$name', (stored) => {
    const { args, inputs } = stored
    const activation = args['act_granularity'] // none: weight-only
    const weight = Int8Tensor.fromHp(inputs['w']!, {
      granularity: granularityOf(args['weight_granularity']),
      actQuantKwargs:
        activation && QuantizeTensorToInt8Kwargs({ granularity: granularityOf(activation) }),
      actQuantScale: inputs['act_quant_scale'],
      actPreScale: inputs['act_pre_scale'],
    })
    const bias = inputs['bias']
    const y = linear(inputs['x']!, weight, bias) as DenseTensor
    expectClose(y, stored.outputs['y']!)
  })
})

describe('slices as torchao takes them', () => {
  it.each(golden('int8_slice'))('$name', ({ args, inputs, outputs }) => {
    const granularity = granularityOf(args['granularity'])
    const weight = Int8Tensor.fromHp(inputs['w']!, { granularity })
    if (args['index'] !== undefined) {
      const selected = select(weight, args['dim'], args['index']) as Int8Tensor
      expectSame(weight.qdata, outputs['qdata'])
      expectSame(weight.scale, outputs['scale'])
      expectSame(selected.qdata, outputs['sel_qdata'])
      expectSame(selected.scale, outputs['sel_scale'])
      return
    }
    const { dim, start, end } = args as { dim: number; start: number; end: number }
    const part = narrow(weight, dim, start, end - start) as Int8Tensor
    expectSame(part.qdata, outputs['qdata'])
    expectSame(part.scale, outputs['scale'])
    expectSame(part.dequantize(), outputs['dequant'])
  })
})

import { hostFloat32, isSkipped, linear, type DenseTensor } from '@ao/base-tensor'
import { PerAxis, PerGroup } from '@ao/granularity'
import type { MappingType } from '@ao/quant-primitives'
import { sqnr } from '@ao/test-kit'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import {
  Int8DynamicActivationIntxWeightConfig,
  IntxWeightOnlyConfig,
  type IntxDType,
  type IntxUnpackedToInt8Tensor,
} from '../src/index.ts'

const cases = golden('intx')
const of = (op: string): typeof cases => cases.filter((stored) => stored.op === op)
const granularityOf = (stored: { type: string; group_size: number }) =>
  stored.type === 'PerAxis' ? PerAxis(0) : PerGroup(stored.group_size)

function quantized(
  config: IntxWeightOnlyConfig | Int8DynamicActivationIntxWeightConfig,
  weight: DenseTensor,
): IntxUnpackedToInt8Tensor {
  const result = config.quantizeTensor(weight, { name: 'w' })
  if (isSkipped(result)) throw new Error(result.skipped)
  return result
}

function expectClose(weight: IntxUnpackedToInt8Tensor, x: DenseTensor, y: DenseTensor): void {
  const own = linear(x, weight)
  expect([own.dtype, own.shape]).toEqual([y.dtype, y.shape])
  expect(sqnr(hostFloat32(y), hostFloat32(own))).toBeGreaterThan(40)
}

describe('weights as torchao quantizes them', () => {
  it.each(of('intx_weight_only'))('$name', ({ args, inputs, outputs }) => {
    const config = new IntxWeightOnlyConfig({
      weightDtype: args['weight_dtype'] as IntxDType,
      mappingType: args['mapping_type'] as MappingType,
      granularity: granularityOf(args['granularity']),
    })
    const weight = quantized(config, inputs['w']!)
    for (const [part, stored] of [
      [weight.qdata, outputs['qdata']!],
      [weight.scale, outputs['scale']!],
      [weight.zeroPoint, outputs['zero_point']!],
    ] as const) {
      expect(part.dtype).toBe(stored.dtype)
      expect(elements(part)).toEqual(elements(stored))
    }
    expectClose(weight, inputs['x']!, outputs['y']!)
  })
})

describe('products with int8 inputs as torchao has them', () => {
  it.each(of('int8_dynamic_intx'))('$name', ({ args, inputs, outputs }) => {
    const config = new Int8DynamicActivationIntxWeightConfig({
      weightDtype: args['weight_dtype'] as IntxDType,
      weightMappingType: args['weight_mapping_type'] as MappingType,
      weightGranularity: granularityOf(args['weight_granularity']),
      actMappingType: args['act_mapping_type'] as MappingType,
    })
    expectClose(quantized(config, inputs['w']!), inputs['x']!, outputs['y']!)
  })
})

it('covers all of them', () => {
  const kinds = ['intx_weight_only', 'int8_dynamic_intx']
  expect(kinds.map((op) => of(op).length)).toEqual([44, 44])
  expect(cases).toHaveLength(88)
})

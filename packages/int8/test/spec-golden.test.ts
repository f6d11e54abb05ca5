import { hostFloat32, linear, type DenseTensor, type FloatDType } from '@ao/base-tensor'
import { PerRow, PerTensor } from '@ao/granularity'
import { loadSpecGolden, toNumbers } from '@ao/test-data'
import { maxRelativeToPeak } from '@ao/test-kit'
import { elements } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int8Tensor, QuantizeTensorToInt8Kwargs, type Int8FromHpOptions } from '../src/index.ts'
import { dense, granularityOf } from './support.ts'

// torchao's own numbers, which ours equal to the bit in float32: sums of integers are exact, and the
// weight-only cases have inputs whose sums are. In shorter dtypes torchao rounds after each step, we do once.
const CASES = [...loadSpecGolden('int8_linear'), ...loadSpecGolden('int8_linear_extra')].map(
  (stored, i) => ({ stored, name: `${i} ${stored['op']} ${stored['dtype']}` }),
)

function optionsOf(stored: Record<string, any>): Int8FromHpOptions {
  const { dtype, act_pre_scale: preScale, act_quant_scale: actScale } = stored
  const granularities = { PerRow: PerRow(), PerTensor: PerTensor() }
  // The pre-scaled cases are dynamic, per row.
  const name = (stored['act_granularity'] ?? (preScale && 'PerRow')) as
    keyof typeof granularities | undefined
  return {
    granularity: stored['granularity'] ? granularityOf(stored['granularity']) : PerRow(),
    reduceRange: stored['reduce_range'],
    actPreScale: preScale && dense(preScale, dtype),
    actQuantKwargs:
      name &&
      QuantizeTensorToInt8Kwargs({
        granularity: granularities[name],
        mappingType: stored['act_mapping'],
        reduceRange: stored['reduce_range'],
      }),
    actQuantScale: actScale && dense(actScale, stored['act_quant_scale_dtype']),
    actQuantZeroPoint:
      stored['act_quant_zero_point'] && dense(stored['act_quant_zero_point'], 'int8'),
  }
}

describe('linear as torchao', () => {
  it.each(CASES)('$name', ({ stored }) => {
    const dtype = stored['dtype'] as FloatDType
    const numbers = (name: string): DenseTensor => dense(toNumbers(stored[name]), dtype)
    const weight = Int8Tensor.fromHp(numbers('weight'), optionsOf(stored))
    expect(elements(weight.qdata)).toEqual(stored['qdata'].flat())
    expect(elements(weight.scale)).toEqual(stored['scale'].flat())
    if (stored['dequantized']) {
      expect(elements(weight.dequantize())).toEqual(elements(numbers('dequantized')))
    }
    const bias = stored['bias'] ? numbers('bias') : undefined
    const y = linear(numbers('x'), weight, bias) as DenseTensor
    expect(y.dtype).toBe(dtype)
    if (stored['y'] && dtype === 'float32') {
      expect(elements(y)).toEqual(elements(numbers('y')))
    } else if (stored['y']) {
      const worst = maxRelativeToPeak(hostFloat32(numbers('y')), hostFloat32(y))
      expect(worst).toBeLessThan(dtype === 'float16' ? 1e-3 : 8e-3)
    } else {
      const worst = maxRelativeToPeak(hostFloat32(numbers('y_approx')), hostFloat32(y))
      expect(worst).toBeLessThan(dtype === 'float32' ? 1e-6 : dtype === 'float16' ? 1e-3 : 8e-3)
    }
  })
})

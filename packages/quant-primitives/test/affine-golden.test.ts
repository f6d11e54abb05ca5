import { meta, type Tensor } from '@ao/base-tensor'
import {
  chooseQparamsAffine,
  dequantizeAffine,
  quantizeAffine,
  type ChooseQparamsOptions,
} from '@ao/quant-primitives'
import { loadGolden, loadSpecGolden } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { bits, goldenTensor, layoutOf, makeTensor } from './golden.ts'

/** Options of a golden case: null is what Python calls None. */
function optionsOf(args: Record<string, any>): ChooseQparamsOptions {
  return {
    quantMin: args['quant_min'] ?? undefined,
    quantMax: args['quant_max'] ?? undefined,
    eps: args['eps'] ?? undefined,
    scaleDtype: args['scale_dtype'] ?? undefined,
    zeroPointDtype: args['zero_point_dtype'] ?? undefined,
  }
}

const golden = loadGolden('primitives_affine', makeTensor)

describe('affine quantization, bit for bit as torchao', () => {
  it.each(golden.map((c) => [c.name, c]))('%s', async (_, { args, inputs, outputs }) => {
    const x = inputs['x'] as Tensor
    const { mapping_type: mapping, block_size: block, target_dtype: target } = args as any
    const options = optionsOf(args)
    const { scale, zeroPoint } = chooseQparamsAffine(x, mapping, block, target, options)
    expect(bits(scale)).toEqual(bits(outputs['scale'] as Tensor))
    expect(bits(zeroPoint)).toEqual(bits(outputs['zero_point'] as Tensor))
    const q = quantizeAffine(x, block, scale, zeroPoint, target, options)
    expect(bits(q)).toEqual(bits(outputs['q'] as Tensor))
    const expected = outputs['dq'] as Tensor
    const dq = dequantizeAffine(q, block, scale, zeroPoint, target, {
      ...options,
      outputDtype: expected.dtype as 'float32',
    })
    expect(bits(dq)).toEqual(bits(expected))

    const planned = chooseQparamsAffine(await x.to(meta), mapping, block, target, options)
    expect([planned.scale.shape, planned.scale.dtype]).toEqual([scale.shape, scale.dtype])
    expect(planned.zeroPoint.dtype).toBe(zeroPoint.dtype)
  })
})
void loadSpecGolden
void goldenTensor
void layoutOf

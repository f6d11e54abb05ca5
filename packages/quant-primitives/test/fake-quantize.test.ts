import {
  cast,
  fromFloat32,
  hostArray,
  meta,
  tensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  chooseQparamsAffine,
  chooseQparamsAffineTinygemm,
  dequantizeAffine,
  dequantizeAffineTinygemm,
  fakeQuantizeAffine,
  fakeQuantizeAffineCachemask,
  getGroupQparamsSymmetric,
  quantizeAffine,
  quantizeAffineNoZeroPoint,
  quantizeAffineTinygemm,
} from '@ao/quant-primitives'
import { loadSpecGolden } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { bits, expectPlanned, goldenCases, goldenTensor } from './golden.ts'

describe('fake quantization as torchao', () => {
  it.each(goldenCases('fake_quantize'))('%s', async (_, { args, inputs, outputs }) => {
    const x = inputs['x'] as Tensor
    const scale = inputs['scale'] as Tensor
    const zeroPoint = inputs['zero_point'] as Tensor
    const bounds = { quantMin: args['quant_min'], quantMax: args['quant_max'] }
    const block: number[] = args['block_size']
    const fake = fakeQuantizeAffineCachemask(x, block, scale, zeroPoint, 'int8', bounds)
    expect(bits(fake.output)).toEqual(bits(outputs['fq'] as Tensor))
    expect(bits(cast(fake.mask, 'uint8'))).toEqual(bits(outputs['mask'] as Tensor))
    const alone = fakeQuantizeAffine(x, block, scale, zeroPoint, 'int8', bounds)
    expect(bits(alone)).toEqual(bits(fake.output))

    const planned = await x.to(meta)
    const [plannedScale, plannedZero] = [await scale.to(meta), await zeroPoint.to(meta)]
    const empty = fakeQuantizeAffineCachemask(
      planned,
      block,
      plannedScale,
      plannedZero,
      'int8',
      bounds,
    )
    expectPlanned(empty.output, fake.output)
    expectPlanned(empty.mask, fake.mask)
    expectPlanned(fakeQuantizeAffine(planned, block, plannedScale, plannedZero, 'int8'), alone)
  })
})

/** torchao's fake quantizers that are nothing but these primitives, by the names of golden cases. */
const FAKE_QUANTIZERS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  int8_per_token_asym: (x) => {
    const { scale, zeroPoint } = chooseQparamsAffine(x, 'ASYMMETRIC', [1, 64], 'int8', {
      scaleDtype: 'float32',
    })
    return fakeQuantizeAffine(x, [1, 64], scale, zeroPoint, 'int8')
  },
  int4_group_sym: (x) => fakeSymmetric(x, 4, 32),
  int8_channel_sym: (x) => fakeSymmetric(x, 8, 64),
}

function fakeSymmetric(x: Tensor, nBit: number, groupSize: number): Tensor {
  const { scale, zeroPoint } = getGroupQparamsSymmetric(x, { nBit, groupSize })
  const bounds = { quantMin: -(2 ** (nBit - 1)), quantMax: 2 ** (nBit - 1) - 1 }
  return fakeQuantizeAffine(x, [1, groupSize], scale, zeroPoint, 'int8', bounds)
}

describe('fake quantizers of torchao made of these primitives', () => {
  const golden = loadSpecGolden('qat').filter((c) => Object.hasOwn(FAKE_QUANTIZERS, c['name']))

  it('are three, in three dtypes', () => expect(golden).toHaveLength(9))

  it.each(golden.map((c) => [c['name'] as string, c['dtype'] as FloatDType, c]))(
    '%s %s',
    (name, dtype, c) => {
      const run = FAKE_QUANTIZERS[name] as (x: Tensor) => Tensor
      const output = run(goldenTensor(c['input'], dtype))
      expect(bits(output)).toEqual(bits(goldenTensor(c['output'], dtype)))
    },
  )
})

describe('fakeQuantizeAffine', () => {
  const x = tensor([[-1.2, -0.4, 0.1, 3.3]])
  const int4 = { quantMin: -8, quantMax: 7 }

  it.each(['float32', 'float16', 'bfloat16'] as const)(
    'is quantize and dequantize in %s',
    (dtype) => {
      const input = fromFloat32(Float32Array.of(-1.2, -0.4, 0.1, 3.3, 2, 5, 7, -9), [2, 4], dtype)
      const outputDtype = { outputDtype: dtype }
      const { scale, zeroPoint } = chooseQparamsAffine(input, 'ASYMMETRIC', [1, 4], 'int8')
      const q = quantizeAffine(input, [1, 4], scale, zeroPoint, 'int8')
      expect(bits(fakeQuantizeAffine(input, [1, 4], scale, zeroPoint, 'int8'))).toEqual(
        bits(dequantizeAffine(q, [1, 4], scale, zeroPoint, 'int8', outputDtype)),
      )

      const tinygemm = chooseQparamsAffineTinygemm(input, 'ASYMMETRIC', [1, 4], 'uint4')
      const codes = quantizeAffineTinygemm(
        input,
        [1, 4],
        tinygemm.scale,
        tinygemm.zeroPoint,
        'uint4',
      )
      expect(
        bits(
          fakeQuantizeAffine(input, [1, 4], tinygemm.scale, tinygemm.zeroPoint, 'uint4', {
            zeroPointDomain: 'FLOAT',
          }),
        ),
      ).toEqual(
        bits(
          dequantizeAffineTinygemm(
            codes,
            [1, 4],
            tinygemm.scale,
            tinygemm.zeroPoint,
            'uint4',
            outputDtype,
          ),
        ),
      )
    },
  )

  it('does without a zero point in the domain NONE', () => {
    const scale = tensor([0.5])
    const fake = fakeQuantizeAffine(x, [1, 4], scale, undefined, 'int8', {
      ...int4,
      zeroPointDomain: 'NONE',
    })
    const q = quantizeAffineNoZeroPoint(x, [1, 4], scale, 'int8', int4)
    expect([...hostArray(q)]).toEqual([-2, -1, 0, 7])
    expect([...hostArray(fake)]).toEqual([-1, -0.5, 0, 3.5])
  })

  it('keeps NaN, and masks it', () => {
    const scale = tensor([1])
    const zeroPoint = tensor([0], { dtype: 'int32' })
    const { output, mask } = fakeQuantizeAffineCachemask(
      tensor([[NaN, 1, 100, -100]]),
      [1, 4],
      scale,
      zeroPoint,
      'int8',
      int4,
    )
    expect([...hostArray(output)]).toEqual([NaN, 1, 7, -8])
    expect([...hostArray(mask)]).toEqual([0, 1, 1, 1])
  })

  it('refuses zero points that contradict the domain', () => {
    const scale = tensor([1])
    const zeroPoint = tensor([0], { dtype: 'int32' })
    expect(() =>
      fakeQuantizeAffine(x, [1, 4], scale, zeroPoint, 'int8', { zeroPointDomain: 'NONE' }),
    ).toThrow(
      '[@ao/quant-primitives] Expected no zero point in the domain NONE, got tensor([1], dtype=int32).',
    )
    for (const zeroPointDomain of ['INT', 'FLOAT'] as const) {
      expect(() =>
        fakeQuantizeAffine(x, [1, 4], scale, undefined, 'int8', { zeroPointDomain }),
      ).toThrow('[@ao/quant-primitives] Expected a zero point, got undefined.')
    }
  })
})

import * as base from '@ao/base-tensor'
import { PerBlock, PerGroup, PerRow, PerTensor } from '@ao/granularity'
import type { FormatClass } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import {
  Float8Tensor,
  PrototypeFloat8Tensor,
  QuantizeTensorToFloat8Kwargs,
  type Float8FromHpOptions,
  type StaticFloat8FromHpOptions,
} from '../src/index.ts'

const by = (options: Float8FromHpOptions) => (weight: base.Tensor) =>
  Float8Tensor.fromHp(weight, options)

const shape = [24, 64] as const
const rows = { shape, sliceSteps: [1, 1] } as const

const VARIANTS: readonly FormatVariant[] = [
  { ...rows, name: 'weight-only per row', fromHp: by({}), weightSqnr: 30, linearSqnr: 30 },
  {
    ...{ ...rows, name: 'weight-only per tensor', weightSqnr: 30, linearSqnr: 30 },
    fromHp: by({ granularity: PerTensor() }),
  },
  {
    ...{ ...rows, name: 'weight-only per group', weightSqnr: 30, linearSqnr: 30 },
    fromHp: by({ granularity: PerGroup(16) }),
    sliceSteps: [1, 16],
  },
  {
    ...{ ...rows, name: 'float8_e5m2 per row', weightSqnr: 24, linearSqnr: 24 },
    fromHp: by({ float8Dtype: 'float8_e5m2' }),
  },
  {
    ...{ ...rows, name: 'dynamic per row', weightSqnr: 30, linearSqnr: 26 },
    fromHp: by({ granularity: PerRow(), actQuantKwargs: QuantizeTensorToFloat8Kwargs() }),
  },
  {
    ...{ ...rows, name: 'dynamic per tensor, float8_e5m2 inputs', weightSqnr: 30, linearSqnr: 22 },
    fromHp: by({
      granularity: PerTensor(),
      actQuantKwargs: QuantizeTensorToFloat8Kwargs({
        granularity: PerTensor(),
        float8Dtype: 'float8_e5m2',
      }),
    }),
  },
  {
    name: 'dynamic in blocks',
    fromHp: by({
      granularity: PerBlock([8, 16]),
      actQuantKwargs: QuantizeTensorToFloat8Kwargs({ granularity: PerBlock([1, 16]) }),
    }),
    ...{ shape, sliceSteps: [8, 16], weightSqnr: 30, linearSqnr: 26 },
  },
]

testFormat(base, Float8Tensor satisfies FormatClass<Float8Tensor, Float8FromHpOptions>, VARIANTS)
testExtremes(base, VARIANTS)

testFormat(
  base,
  PrototypeFloat8Tensor satisfies FormatClass<PrototypeFloat8Tensor, StaticFloat8FromHpOptions>,
  [
    {
      ...{ ...rows, name: 'static, weight-only', weightSqnr: 30, linearSqnr: 30 },
      fromHp: (weight: base.Tensor) => PrototypeFloat8Tensor.fromHp(weight),
    },
  ] as readonly FormatVariant[],
)

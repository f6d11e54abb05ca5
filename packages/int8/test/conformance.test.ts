import * as base from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor } from '@ao/granularity'
import type { FormatClass } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import { Int8Tensor, QuantizeTensorToInt8Kwargs, type Int8FromHpOptions } from '../src/index.ts'

const by = (options: Int8FromHpOptions) => (weight: base.Tensor) =>
  Int8Tensor.fromHp(weight, options)

const shape = [24, 64] as const
const dynamic = QuantizeTensorToInt8Kwargs()
const asymmetric = QuantizeTensorToInt8Kwargs({
  granularity: PerTensor(),
  mappingType: 'ASYMMETRIC',
})

const VARIANTS: readonly FormatVariant[] = [
  {
    name: 'weight-only per row',
    fromHp: by({ granularity: PerRow() }),
    shape,
    sliceSteps: [1, 1],
    weightSqnr: 40,
    linearSqnr: 40,
  },
  {
    name: 'weight-only per tensor',
    fromHp: by({ granularity: PerTensor() }),
    shape,
    sliceSteps: [1, 1],
    weightSqnr: 38,
    linearSqnr: 37,
  },
  {
    name: 'weight-only per group',
    fromHp: by({ granularity: PerGroup(16) }),
    shape,
    sliceSteps: [1, 16],
    weightSqnr: 43,
    linearSqnr: 42,
  },
  {
    name: 'asymmetric weights per row',
    fromHp: by({ granularity: PerRow(), mappingType: 'ASYMMETRIC' }),
    shape,
    sliceSteps: [1, 1],
    weightSqnr: 40,
    linearSqnr: 40,
  },
  {
    name: 'dynamic activations',
    fromHp: by({ granularity: PerRow(), actQuantKwargs: dynamic }),
    shape,
    sliceSteps: [1, 1],
    weightSqnr: 40,
    linearSqnr: 37,
  },
  {
    name: 'asymmetric dynamic activations, reduced range',
    fromHp: by({ granularity: PerRow(), actQuantKwargs: asymmetric, reduceRange: true }),
    shape,
    sliceSteps: [1, 1],
    weightSqnr: 34,
    linearSqnr: 32,
  },
]

testFormat(base, Int8Tensor satisfies FormatClass<Int8Tensor, Int8FromHpOptions>, VARIANTS)
testExtremes(base, VARIANTS)

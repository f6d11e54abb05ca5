import * as base from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import type { Int4PackingFormat } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import { Int4Tensor, type Int4TensorFromHpOptions } from '../src/index.ts'

const by = (options: Int4TensorFromHpOptions) => (weight: base.Tensor) =>
  Int4Tensor.fromHp(weight, options)

const VARIANTS: readonly FormatVariant[] = [
  {
    name: 'groups of 32',
    fromHp: by({ granularity: PerGroup(32) }),
    shape: [24, 128],
    sliceSteps: [1, 32],
    weightSqnr: 20,
    linearSqnr: 19,
  },
  {
    name: 'groups of 2, the smallest',
    fromHp: by({ granularity: PerGroup(2) }),
    shape: [5, 8],
    sliceSteps: [1, 2],
    weightSqnr: 25,
    linearSqnr: 25,
  },
  {
    name: 'around zero, for float8 inputs',
    fromHp: by({ granularity: PerGroup(64), activationDtype: 'float8_e4m3fn' }),
    shape: [24, 128],
    sliceSteps: [1, 64],
    weightSqnr: 18,
    linearSqnr: 17,
  },
]

testFormat(
  base,
  Int4Tensor satisfies Int4PackingFormat<Int4Tensor, Int4TensorFromHpOptions>,
  VARIANTS,
)
testExtremes(base, VARIANTS)

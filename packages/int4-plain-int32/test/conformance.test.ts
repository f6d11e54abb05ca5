import * as base from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import type { Int4PackingFormat } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import { Int4PlainInt32Tensor, type Int4PlainInt32FromHpOptions } from '../src/index.ts'

const by = (options: Int4PlainInt32FromHpOptions) => (weight: base.Tensor) =>
  Int4PlainInt32Tensor.fromHp(weight, options)

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
    name: 'groups of 8, the smallest',
    fromHp: by({ granularity: PerGroup(8) }),
    shape: [5, 16],
    sliceSteps: [1, 8],
    weightSqnr: 20,
    linearSqnr: 19,
  },
  {
    name: 'as on an NPU',
    fromHp: by({ granularity: PerGroup(64), variant: 'npu' }),
    shape: [24, 128],
    sliceSteps: [1, 64],
    weightSqnr: 19,
    linearSqnr: 18,
  },
]

testFormat(
  base,
  Int4PlainInt32Tensor satisfies Int4PackingFormat<
    Int4PlainInt32Tensor,
    Int4PlainInt32FromHpOptions
  >,
  VARIANTS,
)
testExtremes(base, VARIANTS)

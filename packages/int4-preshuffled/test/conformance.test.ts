import * as base from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import type { Int4PackingFormat } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import { Int4PreshuffledTensor, type Int4PreshuffledFromHpOptions } from '../src/index.ts'

const by = (options: Int4PreshuffledFromHpOptions) => (weight: base.Tensor) =>
  Int4PreshuffledTensor.fromHp(weight, options)

const VARIANTS: readonly FormatVariant[] = [
  {
    name: 'groups of 32, in bands that are not full',
    fromHp: by({ granularity: PerGroup(32) }),
    shape: [22, 160],
    sliceSteps: [4, 32],
    weightSqnr: 20,
    linearSqnr: 20,
  },
  {
    name: 'groups of 128',
    fromHp: by({ granularity: PerGroup(128) }),
    shape: [24, 512],
    sliceSteps: [4, 128],
    weightSqnr: 18,
    linearSqnr: 18,
  },
  {
    name: 'around zero, for float8 inputs',
    fromHp: by({ granularity: PerGroup(64), activationDtype: 'float8_e4m3fn' }),
    shape: [22, 192],
    sliceSteps: [4, 64],
    weightSqnr: 17,
    linearSqnr: 17,
  },
]

testFormat(
  base,
  Int4PreshuffledTensor satisfies Int4PackingFormat<
    Int4PreshuffledTensor,
    Int4PreshuffledFromHpOptions
  >,
  VARIANTS,
)
testExtremes(base, VARIANTS)

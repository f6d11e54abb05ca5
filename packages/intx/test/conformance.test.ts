import * as base from '@ao/base-tensor'
import { PerAxis, PerGroup } from '@ao/granularity'
import type { FormatClass } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import { IntxUnpackedToInt8Tensor, type IntxFromHpOptions } from '../src/index.ts'

const by = (options: IntxFromHpOptions) => (weight: base.Tensor) =>
  IntxUnpackedToInt8Tensor.fromHp(weight, options)
const groups = PerGroup(32)
const shape = [24, 64] as const
const inGroups = { shape, sliceSteps: [1, 32] } as const
const inRows = { shape, sliceSteps: [1, 1] } as const

const VARIANTS: readonly FormatVariant[] = [
  { name: 'int8 a row', fromHp: by({}), ...inRows, weightSqnr: 40, linearSqnr: 40 },
  {
    ...{ name: 'int4 in groups', ...inGroups, weightSqnr: 19, linearSqnr: 18 },
    fromHp: by({ targetDtype: 'int4', granularity: groups }),
  },
  {
    ...{ name: 'int4 in groups, int8 inputs', ...inGroups, weightSqnr: 19, linearSqnr: 18 },
    fromHp: by({
      targetDtype: 'int4',
      granularity: groups,
      activationQuantization: 'int8_asym_per_token',
    }),
  },
  {
    ...{ name: 'int3, asymmetric', ...inGroups, weightSqnr: 12, linearSqnr: 11 },
    fromHp: by({ targetDtype: 'int3', granularity: groups, mappingType: 'ASYMMETRIC' }),
  },
  {
    ...{ name: 'int6, no clipping error', ...inRows, weightSqnr: 27, linearSqnr: 26 },
    fromHp: by({
      targetDtype: 'int6',
      granularity: PerAxis(0),
      mappingType: 'SYMMETRIC_NO_CLIPPING_ERR',
    }),
  },
  {
    ...{ name: 'int5, scales of float32', ...inGroups, weightSqnr: 25, linearSqnr: 24 },
    fromHp: by({ targetDtype: 'int5', granularity: groups, scaleDtype: 'float32' }),
  },
  {
    ...{ name: 'int4 a row, int4 inputs', ...inRows, weightSqnr: 16, linearSqnr: 13 },
    fromHp: by({ targetDtype: 'int4', activationQuantization: 'int4_sym_per_token' }),
  },
]

type Format = FormatClass<IntxUnpackedToInt8Tensor, IntxFromHpOptions>
testFormat(base, IntxUnpackedToInt8Tensor satisfies Format, VARIANTS)
// Three bits are a quarter off already.
testExtremes(
  base,
  VARIANTS.filter(({ name }) => !name.startsWith('int3')),
)

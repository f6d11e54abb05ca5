import * as base from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import type { Int4FromHpOptions, Int4PackingFormat } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import { Int4TilePackedTo4dTensor } from '../src/index.ts'

const by = (options: Int4FromHpOptions) => (weight: base.Tensor) =>
  Int4TilePackedTo4dTensor.fromHp(weight, options)

const dtypes = ['bfloat16'] as const
const sliceSteps = [8, 1024] as const

const VARIANTS: readonly FormatVariant[] = [
  {
    name: 'groups of 32',
    fromHp: by({ granularity: PerGroup(32) }),
    shape: [16, 2048],
    sliceSteps,
    weightSqnr: 21,
    linearSqnr: 20,
    dtypes,
  },
  {
    name: 'padded on both sides',
    fromHp: by({ granularity: PerGroup(64), ntileSize: 16 }),
    shape: [20, 200],
    sliceSteps,
    weightSqnr: 20,
    linearSqnr: 19,
    dtypes,
    refusesCodes: true,
  },
  {
    name: 'HQQ',
    fromHp: by({ granularity: PerGroup(256), chooseQparamsAlgorithm: 'HQQ' }),
    shape: [16, 1024],
    sliceSteps,
    weightSqnr: 18,
    linearSqnr: 17,
    dtypes,
    maxWeight: 3, // 20,000 times a weight, where all of a group are equal, must be a float16
  },
]

testFormat(
  base,
  Int4TilePackedTo4dTensor satisfies Int4PackingFormat<Int4TilePackedTo4dTensor, Int4FromHpOptions>,
  VARIANTS,
)
testExtremes(base, VARIANTS)

import * as base from '@ao/base-tensor'
import type { FormatClass } from '@ao/quantized-linear'
import { testExtremes, testFormat, type FormatVariant } from '@ao/test-kit'
import {
  UIntxBitPackedTensor,
  UintxTensor,
  type UIntxBitPackedOptions,
  type UintxTensorOptions,
} from '../src/index.ts'

const by = (options: UIntxBitPackedOptions) => (weight: base.Tensor) =>
  UIntxBitPackedTensor.fromHp(weight, options)
const shape = [24, 64] as const

// 20,000 times a weight, where all of a group are equal, must be a float16.
const hqq = { maxWeight: 3 } as const

const VARIANTS: readonly FormatVariant[] = [
  {
    ...{ name: '4 bits in groups', shape, sliceSteps: [1, 32], weightSqnr: 20, linearSqnr: 19 },
    fromHp: by({ groupSize: 32 }),
    ...hqq,
  },
  {
    ...{ name: '4 bits a row', shape, sliceSteps: [1, 64], weightSqnr: 18, linearSqnr: 17 },
    fromHp: by({ groupSize: -1, packingBitwidth: 8 }),
    ...hqq,
  },
  {
    ...{ name: '8 bits', shape, sliceSteps: [1, 1], weightSqnr: 40, linearSqnr: 40 },
    fromHp: by({ bitWidth: 8 }),
  },
]

type Format = FormatClass<UIntxBitPackedTensor, UIntxBitPackedOptions>
testFormat(base, UIntxBitPackedTensor satisfies Format, VARIANTS)
testExtremes(base, VARIANTS)

const shards = (options: UintxTensorOptions) => (weight: base.Tensor) =>
  UintxTensor.fromHp(weight, { groupSize: 32, ...options })
const inGroups = { shape, sliceSteps: [8, 32] } as const

const SHARDS: readonly FormatVariant[] = [
  {
    ...{ name: '3 bits', ...inGroups, weightSqnr: 13, linearSqnr: 12 },
    fromHp: shards({ bitWidth: 3 }),
  },
  {
    ...{ name: '7 bits, along N', ...inGroups, weightSqnr: 38, linearSqnr: 37 },
    fromHp: shards({ bitWidth: 7, packDim: 0 }),
  },
  {
    ...{ name: '5 bits by HQQ', ...inGroups, ...hqq, weightSqnr: 25, linearSqnr: 24 },
    fromHp: shards({ bitWidth: 5, useHqq: true }),
  },
]

testFormat(base, UintxTensor satisfies FormatClass<UintxTensor, UintxTensorOptions>, SHARDS)

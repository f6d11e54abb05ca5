/** @file What `console.log` shows in Node of tensors of each format, of modules and of configs. */
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { publicExports, packageFolders } from './wrong-arguments/exports.ts'
import { samples } from './wrong-arguments/values.ts'
import {
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
} from '../../../packages/int8/src/index.ts'
import { Float8Tensor, PrototypeFloat8Tensor } from '../../../packages/float8/src/index.ts'
import { IntxUnpackedToInt8Tensor } from '../../../packages/intx/src/index.ts'
import { UIntxBitPackedTensor, UintxTensor } from '../../../packages/uintx/src/index.ts'
import { Int4Tensor } from '../../../packages/int4/src/index.ts'
import { Int4PlainInt32Tensor } from '../../../packages/int4-plain-int32/src/index.ts'
import { Int4TilePackedTo4dTensor } from '../../../packages/int4-tile-packed-to-4d/src/index.ts'
import { Int4WeightOnlyConfig } from '../../../packages/quantize/src/index.ts'
import { cast, isTensor, tensor, zeros } from '../../../packages/base-tensor/src/index.ts'
import { PerGroup } from '../../../packages/granularity/src/index.ts'
import { Module } from '../../../packages/nn/src/index.ts'

const isConfig = (value: unknown): boolean =>
  typeof (value as { quantizeTensor?: unknown } | undefined)?.quantizeTensor === 'function'

const weight = cast(zeros([16, 1024]), 'bfloat16')
const values: readonly unknown[] = [
  ...samples().map(([, value]) => value),
  Int4PlainInt32Tensor.fromHp(weight, { granularity: PerGroup(32) }),
  Int4TilePackedTo4dTensor.fromHp(weight, { granularity: PerGroup(32) }),
  Float8Tensor.fromHp(weight),
  PrototypeFloat8Tensor.fromHp(weight),
  IntxUnpackedToInt8Tensor.fromHp(weight),
  UIntxBitPackedTensor.fromHp(weight),
  UintxTensor.fromHp(weight),
  new Int8DynamicActivationInt8WeightConfig(),
  new Int8StaticActivationInt8WeightConfig({ actQuantScale: tensor([[0.5]]) }),
  new Int4WeightOnlyConfig({ groupSize: 32, packingFormat: Int4Tensor }),
].filter((value) => isTensor(value) || value instanceof Module || isConfig(value))

it.each(values.map((value) => [String(value), value] as const))('%s', (text, value) => {
  expect(text).not.toContain('[object')
  expect(inspect(value)).toBe(text)
})

it('are of every format', async () => {
  const formats = (await publicExports(packageFolders())).flatMap(({ value }) => {
    const { formatName } = Object(value) as { formatName?: string }
    return formatName === undefined || formatName === 'TensorSubclass' ? [] : [formatName]
  })
  const shown = values.map((value) => (value as object).constructor.name)
  expect(formats.filter((name) => !shown.includes(name))).toEqual([])
  expect(formats.length).toBeGreaterThan(4)
})

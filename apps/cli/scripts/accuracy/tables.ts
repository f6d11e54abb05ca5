/** @file The table of each format's README: its columns, and the variants that are its rows. */

import { Float8Tensor, QuantizeTensorToFloat8Kwargs, type Float8FromHpOptions } from '@ao/float8'
import { PerBlock, PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int4PreshuffledTensor } from '@ao/int4-preshuffled'
import { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'
import { Int8Tensor, QuantizeTensorToInt8Kwargs, type Int8FromHpOptions } from '@ao/int8'
import { IntxUnpackedToInt8Tensor, type IntxDType } from '@ao/intx'
import { UIntxBitPackedTensor } from '@ao/uintx'
import { measure, type Measured, type Quantize, type Weights } from './measure.ts'

/** What formats are measured with. */
export interface Corpora {
  readonly normal: Weights
  readonly trained: Weights
}

export interface AccuracyTable {
  /** The folder in `packages` whose README has the table. */
  readonly folder: string
  readonly columns: readonly string[]
  rows(corpora: Corpora): string[][]
}

const NORMAL = 'normal: weight, linear'
const TRAINED = 'trained: weight, linear'
const FLOAT8 = 'float8 inputs: normal, trained linear'
const ALGORITHMS = ['TINYGEMM', 'HQQ'] as const

const INT8_VARIANTS: readonly (readonly [name: string, options: Int8FromHpOptions])[] = [
  ['PerRow', { granularity: PerRow() }],
  ['PerTensor', { granularity: PerTensor() }],
  ['PerGroup(128)', { granularity: PerGroup(128) }],
  ['PerGroup(32)', { granularity: PerGroup(32) }],
  ['PerRow, dynamic', { actQuantKwargs: QuantizeTensorToInt8Kwargs() }],
  [
    'PerRow, dynamic per tensor',
    { actQuantKwargs: QuantizeTensorToInt8Kwargs({ granularity: PerTensor() }) },
  ],
  [
    'PerRow, dynamic, reduced range',
    { actQuantKwargs: QuantizeTensorToInt8Kwargs({ reduceRange: true }), reduceRange: true },
  ],
]

const dynamic = QuantizeTensorToFloat8Kwargs()
const FLOAT8_VARIANTS: readonly (readonly [name: string, options: Float8FromHpOptions])[] = [
  ['PerRow', {}],
  ['PerTensor', { granularity: PerTensor() }],
  ['PerGroup(128)', { granularity: PerGroup(128) }],
  ['PerRow, float8_e5m2', { float8Dtype: 'float8_e5m2' }],
  ['PerRow, dynamic', { actQuantKwargs: dynamic }],
  [
    'PerTensor, dynamic per tensor',
    {
      granularity: PerTensor(),
      actQuantKwargs: QuantizeTensorToFloat8Kwargs({ granularity: PerTensor() }),
    },
  ],
  [
    'PerBlock([128, 128]), dynamic by 128',
    {
      granularity: PerBlock([128, 128]),
      actQuantKwargs: QuantizeTensorToFloat8Kwargs({ granularity: PerBlock([1, 128]) }),
    },
  ],
]

export const TABLES: readonly AccuracyTable[] = [
  {
    folder: 'float8',
    columns: ['', NORMAL, TRAINED, 'bytes a weight, K = 4096'],
    rows: (corpora) =>
      FLOAT8_VARIANTS.map(([name, options]) => {
        const { normal, trained } = inBfloat16(corpora, (w) => Float8Tensor.fromHp(w, options))
        return [name, pair(normal), pair(trained), normal.bytes.toFixed(3)]
      }),
  },
  {
    folder: 'int8',
    columns: ['', NORMAL, TRAINED, 'bytes a weight, K = 4096'],
    rows: ({ normal, trained }) =>
      INT8_VARIANTS.map(([name, options]) => {
        const quantize: Quantize = (weight) => Int8Tensor.fromHp(weight, options)
        const random = measure(normal, 'float32', quantize)
        const real = measure(trained, 'float32', quantize)
        return [name, pair(random), pair(real), random.bytes.toFixed(3)]
      }),
  },
  {
    folder: 'int4',
    columns: ['group', NORMAL, TRAINED, FLOAT8, 'bits a weight'],
    rows: (corpora) =>
      [32, 64, 128, 256].map((group) => {
        const quantize: Quantize = (weight) => Int4Tensor.fromHp(weight, by(group))
        const float8: Quantize = (weight) =>
          Int4Tensor.fromHp(weight, { ...by(group), activationDtype: 'float8_e4m3fn' })
        const { normal, trained } = inBfloat16(corpora, quantize)
        const rounded = inBfloat16(corpora, float8)
        const inputs = `${db(rounded.normal.linear)}, ${db(rounded.trained.linear)}`
        return [`${group}`, pair(normal), pair(trained), inputs, (8 * normal.bytes).toFixed(3)]
      }),
  },
  {
    folder: 'intx',
    columns: ['dtype', 'SYMMETRIC: normal, trained', 'ASYMMETRIC', 'int8 inputs', 'bits a weight'],
    rows: (corpora) =>
      [8, 6, 5, 4, 3, 2, 1].map((bits) => {
        const own = { targetDtype: `int${bits}` as IntxDType, ...by(32) }
        const both = (options: object): string => {
          const { normal, trained } = inBfloat16(corpora, (weight) =>
            IntxUnpackedToInt8Tensor.fromHp(weight, { ...own, ...options }),
          )
          return `${db(normal.linear)}, ${db(trained.linear)}`
        }
        return [
          ...[`int${bits}`, both({}), both({ mappingType: 'ASYMMETRIC' })],
          both({ activationQuantization: 'int8_asym_per_token' }),
          (bits + (16 + 8) / 32).toFixed(2), // with scales of 16 bits and zero points of 8
        ]
      }),
  },
  {
    folder: 'uintx',
    columns: ['bits', 'group', NORMAL, TRAINED, 'bits a weight'],
    rows: (corpora) =>
      ([32, 64, 128, 256, -1] as const).map((groupSize) => {
        const bitWidth = groupSize === -1 ? 8 : 4
        const { normal, trained } = inBfloat16(corpora, (weight) =>
          UIntxBitPackedTensor.fromHp(weight, { bitWidth, groupSize }),
        )
        // Scales and shifts of 16 bits.
        const bits = bitWidth + (bitWidth === 8 ? 16 / 4096 : 32 / groupSize)
        const group = groupSize === -1 ? 'row' : String(groupSize)
        return [`${bitWidth}`, group, pair(normal), pair(trained), bits.toFixed(2)]
      }),
  },
  {
    folder: 'int4-plain-int32',
    columns: ['group', NORMAL, TRAINED, 'bytes a weight: xpu, npu'],
    rows: (corpora) =>
      [32, 64, 128, 256].map((group) => {
        const [xpu, npu] = (['xpu', 'npu'] as const).map((variant): Quantize => {
          return (weight) => Int4PlainInt32Tensor.fromHp(weight, { ...by(group), variant })
        }) as [Quantize, Quantize]
        const { normal, trained } = inBfloat16(corpora, xpu)
        const other = measure(corpora.normal, 'bfloat16', npu)
        const bytes = `${normal.bytes.toFixed(3)}, ${other.bytes.toFixed(3)}`
        return [`${group}`, pair(normal), pair(trained), bytes]
      }),
  },
  {
    folder: 'int4-preshuffled',
    columns: ['group', NORMAL, TRAINED, 'bytes', FLOAT8, 'bytes'],
    rows: (corpora) =>
      [32, 64, 128].map((group) => {
        const quantize: Quantize = (weight) => Int4PreshuffledTensor.fromHp(weight, by(group))
        const float8: Quantize = (weight) =>
          Int4PreshuffledTensor.fromHp(weight, {
            ...by(group),
            activationDtype: 'float8_e4m3fn',
          })
        const { normal, trained } = inBfloat16(corpora, quantize)
        const rounded = inBfloat16(corpora, float8)
        return [
          ...[`${group}`, pair(normal), pair(trained), normal.bytes.toFixed(4)],
          `${db(rounded.normal.linear)}, ${db(rounded.trained.linear)}`,
          rounded.normal.bytes.toFixed(4),
        ]
      }),
  },
  {
    folder: 'int4-tile-packed-to-4d',
    columns: ['group', 'algorithm', NORMAL, TRAINED, 'bytes a weight: normal, trained'],
    rows: (corpora) =>
      [32, 64, 128, 256].flatMap((group) =>
        ALGORITHMS.map((chooseQparamsAlgorithm) => {
          const { normal, trained } = inBfloat16(corpora, (weight) =>
            Int4TilePackedTo4dTensor.fromHp(weight, {
              ...by(group),
              chooseQparamsAlgorithm,
            }),
          )
          const bytes = `${normal.bytes.toFixed(3)}, ${trained.bytes.toFixed(3)}`
          return [`${group}`, chooseQparamsAlgorithm, pair(normal), pair(trained), bytes]
        }),
      ),
  },
]

/** Groups of this many neighbours along K. */
function by(group: number): { readonly granularity: Granularity } {
  return { granularity: PerGroup(group) }
}

function inBfloat16(
  corpora: Corpora,
  quantize: Quantize,
): { readonly normal: Measured; readonly trained: Measured } {
  return {
    normal: measure(corpora.normal, 'bfloat16', quantize),
    trained: measure(corpora.trained, 'bfloat16', quantize),
  }
}

function pair({ weight, linear }: Measured): string {
  return `${db(weight)}, ${db(linear)}`
}

function db(value: number): string {
  return value.toFixed(1)
}

/**
 * @file What a format brings to be multiplied with: a decoder, which is WGSL that reads its weights.
 *
 * A decoder is one function at least, and more of them to be fast. `row` counts from the first that is bound,
 * which is row `params.first` of the weight; but `qparams` and `value_of`, which read no codes, take rows of the
 * weight. `wgsl/params.wgsl` has the constants and types.
 *
 * | function                                            | what it gives                                                        | without it                  |
 * | --------------------------------------------------- | -------------------------------------------------------------------- | --------------------------- |
 * | `value(row, k) -> f32`                              | a number of the weight, to the bit as the CPU has it                 | `value_of` the level        |
 * | `level(row, k) -> f32`                              | what a code stands for before scale and zero point                   | the value, with a scale of 1 |
 * | `qparams(row, group) -> Qparams`                    | of rows row .. row + 3, a multiple of 4: value = level * scale + zero | scales of 1                 |
 * | `value_of(row, group, level) -> f32`                | the value of a level, to the bit as the CPU has it                   | made of `qparams`           |
 * | `levels4(row, chunk, j) -> vec4f`, `LEVEL_OFFSET`   | levels 4 j .. 4 j + 3 of a chunk, plus the offset                    | four times `level`          |
 * | `Chunk`, `load_chunk(row, chunk)`, `levels<i>(chunk) -> Levels` | all of a chunk at once, and its levels 8 i .. 8 i + 7, plus the offset | made of `levels4` |
 * | `int8_codes(row, i) -> vec4u`                       | levels 16 i .. 16 i + 15 as bytes, for inputs of int8                | bytes made of `level`       |
 *
 * Two more make products of float16 fast: {@link WeightDecoder.half} and {@link WeightDecoder.matrix}.
 */

import { takes } from '@ao/base-tensor'
import type { Tensor } from '@ao/base-tensor'
import { wgsl, type Defines, type ProgramMaker } from '@ao/kernels-webgpu'
import type { MatrixItems } from '@ao/kernels-webgpu/matrices'
import { outputWgsl, readerWgsl, weightWgsl } from './decoder-wgsl.ts'
import batch from './wgsl/batch.wgsl'
import dequantize from './wgsl/dequantize.wgsl'
import gemv from './wgsl/gemv.wgsl'
import generic from './wgsl/generic.wgsl'
import input from './wgsl/input.wgsl'
import reduce from './wgsl/reduce.wgsl'
import tile from './wgsl/tile.wgsl'

/** How kernels read the weights of a format. */
export interface WeightDecoder {
  /** For names of kernels: `int4`. */
  readonly name: string
  /** Neighbours along K of a chunk. */
  readonly chunk: 16 | 32
  /**
   * Tensors of floats or small integers besides the codes, such as scales, by the names of
   * {@link StoredWeight.parts}. Of each, `name4(i)` are elements i to i + 3, i being a multiple of 4, and
   * `name1(i)` is one. Where a weight lacks one, so are its functions: `#if name`.
   */
  readonly parts: readonly string[]
  /**
   * The functions above; `codes_at(i)` is a word of the codes, of `codesType`, and `codes_component(i, j)` a
   * component of one that is a vector.
   */
  readonly wgsl: string
  /** What its WGSL is made with, besides {@link StoredWeight.defines}. */
  readonly defines?: Defines
  /** The type of a word of codes, `u32` unless given. */
  readonly codesType?: (weight: WeightSize) => 'u32' | 'vec4u'
  /** Whether `load_chunk` gives levels of finite size beyond K, where chunks do not divide it. */
  readonly readsPastK?: boolean
  /** Whether `LEVEL_OFFSET` is not 0. */
  readonly isOffset?: boolean
  /** The kernel of one row of an input of int8, in place of the one of all decoders: `int8-nibbles-gemv.wgsl`. */
  readonly int8Gemv?: string
  /** Steps of K from word to word, number to number and half to half, where levels are not in sequence. */
  readonly steps?: readonly [word: number, number: number, half: number]
  /**
   * Products in 16 bits, of decoders with chunks of 32:
   * `add_products<i>(chunk, x: Eight, sum: vec2<H>) -> vec2<H>` adds those of levels 8 i .. 8 i + 7.
   */
  readonly half?: string
  /** The right side of products of matrices, for `matrix.wgsl`, where it is not made of `levels4`. */
  readonly matrix?: MatrixSide
}

/** The right side of products of matrices. */
export interface MatrixSide {
  readonly wgsl: string
  readonly items: MatrixItems
  /**
   * Whether it gives levels less zero points, and results are multiplied with scales: of weights with one
   * group a row.
   */
  readonly scalesResults?: boolean
}

/** Sizes of a weight (N, K). */
export interface WeightSize {
  readonly n: number
  readonly k: number
  readonly groupSize: number
}

/** One stored weight. */
export interface StoredWeight extends WeightSize {
  /** By name: {@link WeightDecoder.parts}, and `codes`. */
  readonly parts: Readonly<Record<string, Tensor | undefined>> & { readonly codes: Tensor }
  /**
   * Bytes of a row in `codes`, where eight rows, from a multiple of 8 on, lie together. Unless given, codes
   * are not cut where they are larger than a GPU can bind.
   */
  readonly rowBytes?: number
  /** Whether `qparams` gives no zero points: all of them are 0. */
  readonly isSymmetric?: boolean
  /** Whether levels are read with other signs, and the like. */
  readonly defines?: Defines
}

/** The kernels of one decoder for inputs of floats. */
export interface LinearPrograms<Decoder extends WeightDecoder = WeightDecoder> {
  readonly decoder: Decoder
  readonly gemv: ProgramMaker
  readonly batch: ProgramMaker
  readonly tile: ProgramMaker
  readonly generic: ProgramMaker
  readonly dequantize: ProgramMaker
}

/** The kernels of a decoder, for {@link linearVariants} and the like. */
/* @__NO_SIDE_EFFECTS__ */
export function linearPrograms<Decoder extends WeightDecoder>(
  decoder: Decoder,
): LinearPrograms<Decoder> {
  takes('o<name:x parts:l wgsl:x>', decoder)
  const { name, half = '' } = decoder
  const { before, after } = floatsWgsl(decoder)
  const program = (kernel: string, ...parts: readonly string[]): ProgramMaker =>
    wgsl(`${name} ${kernel}`, parts.join('\n'))
  const weight = weightWgsl(decoder)
  return {
    decoder,
    gemv: program('gemv', before, `#if HALF\n${half}\n#endif`, after, reduce, gemv),
    batch: program('batch', before, after, reduce, batch),
    tile: program('tile', before, after, tile),
    generic: program('generic', weight, readerWgsl('x'), after, generic),
    dequantize: program('dequantize', weight, dequantize),
  }
}

/** What stands before and behind what kernels for inputs of floats have of their own. */
/* @__NO_SIDE_EFFECTS__ */
export function floatsWgsl(decoder: WeightDecoder): {
  readonly before: string
  readonly after: string
} {
  return {
    before: [weightWgsl(decoder), readerWgsl('norm'), input].join('\n'),
    after: outputWgsl,
  }
}

const SEQUENTIAL = [8, 1, 4] as const

/** Steps of K from word to word, number to number and half to half of a decoder's levels. */
export function stepsOf({ steps = SEQUENTIAL }: WeightDecoder): readonly [number, number, number] {
  return steps
}

/** Whether groups are whole chunks, so that all kernels but the generic one can read them. */
export function hasWholeChunks(decoder: WeightDecoder, { k, groupSize }: WeightSize): boolean {
  const { chunk, readsPastK = false } = decoder
  const isGrouped = groupSize % chunk === 0 || groupSize >= k
  return isGrouped && (k % chunk === 0 || readsPastK)
}

/** Defines of a weight, but for bindings. */
export function weightDefines(
  decoder: WeightDecoder,
  weight: WeightSize & Pick<StoredWeight, 'defines'>,
): Defines {
  const { n, k, groupSize } = weight
  const { chunk } = decoder
  const codesType = decoder.codesType?.(weight) ?? 'u32'
  const [wordStep, nibbleStep, halfStep] = stepsOf(decoder)
  return {
    N: n,
    K: k,
    GROUP_SIZE: groupSize,
    GROUPS: Math.ceil(k / groupSize),
    ONE_GROUP: groupSize >= k,
    CHUNK: chunk,
    CHUNKS: Math.ceil(k / chunk),
    EIGHTS: chunk / 8,
    WHOLE_CHUNKS: hasWholeChunks(decoder, weight),
    CODES_TYPE: codesType,
    IS_VECTOR: codesType === 'vec4u',
    ORDER: 'sequential',
    WORD_STEP: wordStep,
    NIBBLE_STEP: nibbleStep,
    HALF_STEP: halfStep,
    SECOND: false,
    ...decoder.defines,
    ...weight.defines,
  }
}

/**
 * @file How a format tells the int4 kernels where its codes, scales and zero points lie.
 *
 * Codes lie in words of eight, and the four words of 32 neighbours along K are a piece, which a thread
 * loads at once. A layout says in which order, and brings two functions of WGSL:
 *
 *     fn qparams(row: u32, group: u32) -> Qparams      // of rows row .. row + 3: (code - 8) * scale + zero
 *     fn value(row: u32, group: u32, code: f32) -> f32 // what code 0..15 stands for, rounded as by the CPU
 *
 * `row` of `qparams` is a multiple of 4. They may use the constants of `weight.wgsl`.
 */

import type { Tensor } from '@ao/base-tensor'
import { numbersWgsl, wgsl, type Defines, type ProgramMaker } from '@ao/kernels-webgpu'
import { matrixProgram } from '@ao/kernels-webgpu/matrices'
import any from './any.wgsl'
import batch from './batch.wgsl'
import codes from './codes.wgsl'
import dequantize from './dequantize.wgsl'
import gemm from './gemm.wgsl'
import gemv from './gemv.wgsl'
import input from './input.wgsl'
import lanes from './lanes.wgsl'
import matrix from './matrix.wgsl'
import numbers from './numbers.wgsl'
import output from './output.wgsl'
import pairs from './pairs.wgsl'
import part from './part.wgsl'
import pack from './pack.wgsl'
import sixteen from './sixteen.wgsl'
import unpack from './unpack.wgsl'
import weight from './weight.wgsl'

/**
 * Which codes of a piece word i holds; nibble j, from the lowest, is k =
 *
 * - `sequential`: 8 i + j
 * - `neighbours`: 8 i + 2 (j mod 4) + floor(j / 4)
 * - `spread`: 2 i + 8 (j mod 4) + floor(j / 4)
 */
export type Int4Order = 'sequential' | 'neighbours' | 'spread'

/** Steps of k from word to word, from nibble to nibble of a half, and from half to half of a word. */
export const STEPS = {
  sequential: [8, 1, 4],
  neighbours: [8, 2, 1],
  spread: [2, 8, 1],
} as const

/** Where a format's codes, scales and zero points lie. */
export interface Int4Layout {
  /** For names of kernels: `int4`. */
  readonly name: string
  readonly order: Int4Order
  /**
   * `fn place(row: u32, piece: u32, i: u32) -> u32`: the index of word i of a piece among all words, for
   * layouts whose pieces do not lie one after the other, row by row.
   */
  readonly place?: string
  /**
   * Parts of floats or small integers, scales and zero points, in the order of {@link Int4Stored.parts}. Of
   * each, `name4(i)` are elements i to i + 3, i being a multiple of 4, and `name1(i)` is one. Where a part
   * is missing, so are its functions: `#if name`.
   */
  readonly numbers: readonly string[]
  /** The two functions. */
  readonly wgsl: string
}

/** One stored weight (N, K). */
export interface Int4Stored {
  readonly n: number
  readonly k: number
  readonly groupSize: number
  /** By name, in the order of {@link Int4Layout.numbers}, and `codes` as the last. */
  readonly parts: Readonly<Record<string, Tensor | undefined>> & { readonly codes: Tensor }
  /** Bytes of a row in `codes`, where eight rows, from a multiple of 8 on, lie together. */
  readonly rowBytes: number
  /** Whether codes are -8..7, in two's complement. */
  readonly isSigned?: boolean
  /** Whether `qparams` gives no zero points: all of them are 0. */
  readonly isSymmetric?: boolean
  /** More defines for the layout. */
  readonly defines?: Defines
}

/** `name4` and `name1` of a tensor, where there is one. */
/* @__NO_SIDE_EFFECTS__ */
export function readerWgsl(name: string): string {
  return `#if ${name}\n${part.replaceAll('PART', name)}\n#endif`
}

/** The kernels of one layout. */
export interface Int4Programs {
  readonly layout: Int4Layout
  readonly gemv: ProgramMaker
  readonly batch: ProgramMaker
  readonly matrix: ProgramMaker
  readonly gemm: ProgramMaker
  readonly any: ProgramMaker
  readonly dequantize: ProgramMaker
  readonly unpack: ProgramMaker
  readonly pack: ProgramMaker
}

/** The kernels of a layout, for {@link int4LinearVariants} and the like. */
/* @__NO_SIDE_EFFECTS__ */
export function int4Programs(layout: Int4Layout): Int4Programs {
  const { name, place = '' } = layout
  const start = [numbersWgsl, numbers, weight, place]
  const stored = [...start, ...layout.numbers.map(readerWgsl), codes, layout.wgsl]
  const bias = readerWgsl('bias')
  const program = (kernel: string, ...parts: readonly string[]): ProgramMaker =>
    wgsl(`${name} ${kernel}`, parts.join('\n'))
  return {
    layout,
    gemv: program('gemv', ...stored, sixteen, pairs, input, bias, output, lanes, gemv),
    batch: program('batch', ...stored, sixteen, input, bias, output, lanes, batch),
    matrix: matrixProgram(
      `${name} matrix`,
      [...stored, sixteen, pairs, input, bias, output, matrix].join('\n'),
    ),
    gemm: program('gemm', ...stored, sixteen, input, bias, output, gemm),
    any: program('any', ...stored, readerWgsl('x'), bias, output, any),
    dequantize: program('dequantize', ...stored, dequantize),
    unpack: program('unpack', ...start, codes, unpack),
    pack: program('pack', ...start, pack),
  }
}

/** Defines of a weight, but for bindings. */
export function weightDefines(
  { layout: { order, place } }: Int4Programs,
  weight: Pick<Int4Stored, 'n' | 'k' | 'groupSize' | 'isSigned' | 'defines'>,
): Defines {
  const { n, k, groupSize, isSigned = false } = weight
  const [wordStep, nibbleStep, halfStep] = STEPS[order]
  const hasPieces = groupSize % 32 === 0
  return {
    N: n,
    K: k,
    GROUP_SIZE: groupSize,
    GROUPS: Math.ceil(k / groupSize),
    PIECES: Math.ceil(k / 32),
    WHOLE_PIECES: hasPieces,
    TOGETHER: hasPieces && !place,
    HAS_PLACE: place !== undefined,
    ORDER: order,
    WORD_STEP: wordStep,
    NIBBLE_STEP: nibbleStep,
    HALF_STEP: halfStep,
    SIGNED: isSigned,
    ...weight.defines,
  }
}

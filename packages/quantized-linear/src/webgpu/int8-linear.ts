/** @file Products of int8 inputs with quantized weights, summed as integers: their variants. */

import {
  isFloatDType,
  numelOf,
  type DenseTensor,
  type FloatDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import {
  grid,
  wgsl,
  type Defines,
  type GPU,
  type ProgramMaker,
  type Variant,
  type Workgroups,
} from '@ao/kernels-webgpu'
import { asFloat } from './as-float.ts'
import { Bindings, outputDefines } from './bindings.ts'
import { hasWholeChunks, weightDefines, type StoredWeight, type WeightDecoder } from './decoder.ts'
import { outputWgsl, weightWgsl } from './decoder-wgsl.ts'
import { rowRanges } from './row-ranges.ts'
import type { Int8TileTuning, Int8Tuning } from './tuning.ts'
import { lanePlan } from './variants.ts'
import gemvSource from './wgsl/int8-gemv.wgsl'
import inputSource from './wgsl/int8-input.wgsl'
import tileSource from './wgsl/int8-tile.wgsl'

/** An input as codes: a row for each token. */
export interface Int8Input {
  /** (M, words) of int32: four codes in a word, rows of whole 16 bytes with zeros at their ends. */
  readonly codes: DenseTensor
  /** (M, 4): scale, zero point and sum of codes of each row, and nothing. */
  readonly tokens: DenseTensor
  /** The shape of the input, (..., K). */
  readonly shape: readonly number[]
}

/** A product with a weight. */
export interface Int8Product {
  readonly input: Int8Input
  readonly weight: StoredWeight
  /** (N) */
  readonly bias?: Tensor | undefined
  /** Added to the result: (..., N). */
  readonly residual?: Tensor | undefined
  readonly outDtype: FloatDType
  /** Whether the input has zero points. */
  readonly isAsymmetric: boolean
}

/** What is known of a product before its input is quantized. */
export interface Int8Problem {
  /** Rows of the input. */
  readonly m: number
  readonly weight: StoredWeight
  readonly isAsymmetric: boolean
}

/** One variant of the kernels. */
export interface Int8Variant {
  readonly name: string
  readonly when: string
  readonly fits: (gpu: GPU, problem: Int8Problem) => boolean
  readonly plan: (gpu: GPU, problem: Int8Problem) => Int8Plan
}

interface Int8Plan {
  readonly program: ProgramMaker
  readonly defines: Defines
  /** For rows of the weight by rows of the input. */
  readonly workgroups: (rows: number, m: number) => Workgroups
}

/** The kernels of one decoder for inputs of int8. */
export interface Int8Programs {
  readonly decoder: WeightDecoder
  readonly tuning: Int8Tuning
  readonly gemv: ProgramMaker
  /** {@link WeightDecoder.int8Gemv} */
  readonly ownGemv: ProgramMaker | undefined
  readonly tile: ProgramMaker
}

/** The kernels of a decoder. */
/* @__NO_SIDE_EFFECTS__ */
export function int8Programs(decoder: WeightDecoder, tuning: Int8Tuning): Int8Programs {
  takes('o<name:x parts:l wgsl:x>o<gemv:o smallTile:o largeTile:o>', decoder, tuning)
  const front = int8InputWgsl(decoder)
  return {
    decoder,
    tuning,
    gemv: wgsl(`${decoder.name} int8 gemv`, [front, gemvSource].join('\n')),
    ownGemv:
      decoder.int8Gemv === undefined
        ? undefined
        : wgsl(`${decoder.name} int8 own gemv`, [front, decoder.int8Gemv].join('\n')),
    tile: wgsl(`${decoder.name} int8 tile`, [front, tileSource].join('\n')),
  }
}

/** What stands before every kernel for inputs of int8. */
/* @__NO_SIDE_EFFECTS__ */
export function int8InputWgsl(decoder: WeightDecoder): string {
  return [weightWgsl(decoder), inputSource, outputWgsl].join('\n')
}

/** All variants, best first. */
export function int8VariantsOf(
  programs: Int8Programs,
  more: (programs: Int8Programs) => Int8Variant[] = () => [],
): Int8Variant[] {
  const { smallTile, largeTile } = programs.tuning
  return [
    ...more(programs),
    ...(programs.ownGemv
      ? [ownGemv(programs, programs.ownGemv, true), ownGemv(programs, programs.ownGemv, false)]
      : []),
    gemv(programs, true),
    gemv(programs, false),
    tile(programs, 'tile, few rows', 32, smallTile),
    tile(programs, 'tile', Infinity, largeTile),
  ]
}

// Sixteen codes of the input meet one group.
function hasWholeSixteens({ readsPastK }: WeightDecoder, { k, groupSize }: StoredWeight): boolean {
  return groupSize >= k ? k % 16 === 0 || readsPastK === true : groupSize % 16 === 0
}

function gemv(programs: Int8Programs, subgroups: boolean): Int8Variant {
  const { decoder, gemv: program, tuning } = programs
  const { threads, mostRows } = tuning.gemv
  return {
    name: subgroups ? 'gemv, subgroups' : 'gemv',
    when: `up to ${mostRows} rows, groups of whole 16s${subgroups ? ', GPUs with subgroups' : ''}`,
    fits: (gpu, { m, weight }) =>
      m <= mostRows &&
      hasWholeSixteens(decoder, weight) &&
      (!subgroups || gpu.capabilities.subgroups),
    plan: (_gpu, { m, weight, isAsymmetric }) => {
      const rows = m <= 1 ? 1 : 2 ** Math.ceil(Math.log2(m))
      const sums = isAsymmetric ? rows + 1 : rows
      const isOneGroup = weight.groupSize >= weight.k
      return {
        program,
        defines: {
          THREADS: threads,
          ROWS: rows,
          SUMS: sums,
          RESULTS: isOneGroup ? sums : rows,
          SUBGROUPS: subgroups,
          INTO: isOneGroup ? 'sum' : 'part',
          LEVEL_SUMS: isAsymmetric ? `part_${rows}` : 'vec4i()',
        },
        workgroups: (n) => grid(Math.ceil(n / 4)),
      }
    },
  }
}

function ownGemv(programs: Int8Programs, program: ProgramMaker, subgroups: boolean): Int8Variant {
  const { decoder, tuning } = programs
  return {
    name: subgroups ? 'gemv of the decoder, subgroups' : 'gemv of the decoder',
    when: `one row, groups of whole chunks of ${decoder.chunk}${subgroups ? ', GPUs with subgroups' : ''}`,
    fits: (gpu, { m, weight }) =>
      m === 1 &&
      weight.k % decoder.chunk === 0 &&
      hasWholeChunks(decoder, weight) &&
      (!subgroups || gpu.capabilities.subgroups),
    plan: (gpu, { weight }) => {
      const lanes = lanePlan(tuning.ownGemv, programs, { weight }, 1, subgroups ? gpu : undefined)
      return { program, defines: lanes.defines, workgroups: (rows) => lanes.workgroups(rows) }
    },
  }
}

function tile(
  { decoder, tile: program }: Int8Programs,
  name: string,
  mostRows: number,
  tuning: Int8TileTuning,
): Int8Variant {
  const { tokens, rows, depth, threadTokens, threadRows } = tuning
  const threadsM = tokens / threadTokens
  const threadsN = rows / threadRows
  return {
    name,
    when: `${mostRows === Infinity ? 'any' : `up to ${mostRows}`} rows, a scale a row`,
    fits: (_gpu, { m, weight }) =>
      m <= mostRows && weight.groupSize >= weight.k && hasWholeSixteens(decoder, weight),
    plan: () => ({
      program,
      defines: {
        TILE_M: tokens,
        TILE_N: rows,
        TILE_K: depth,
        THREADS_M: threadsM,
        THREADS_N: threadsN,
        THREADS: threadsM * threadsN,
        TOKEN_QUADS: threadTokens / 4,
        ROW_QUADS: threadRows / 4,
      },
      workgroups: (n, m) => [Math.ceil(m / tokens), Math.ceil(n / rows)],
    }),
  }
}

/** An input that is quantized before it is multiplied, and what is known of it before. */
export interface Int8Call {
  /** (..., K) */
  readonly x: Tensor
  readonly weight: StoredWeight
  readonly isAsymmetric: boolean
  /** Quantizes the input, and says what else goes into the product. */
  readonly product: (gpu: GPU) => Omit<Int8Product, 'weight' | 'isAsymmetric'>
}

/**
 * The variants of an op that quantizes its input and multiplies it with weights of one decoder, best first.
 *
 * @param callOf - what an op's arguments ask for
 * @param more - variants for what not all GPUs have
 */
/* @__NO_SIDE_EFFECTS__ */
export function int8LinearVariants<Args extends readonly unknown[]>(
  programs: Int8Programs,
  callOf: (...args: Args) => Int8Call,
  more?: (programs: Int8Programs) => Int8Variant[],
): Variant<Args, Tensor>[] {
  takes('o<decoder:o tuning:o>f', programs, callOf)
  return int8VariantsOf(programs, more).map((variant) => ({
    name: variant.name,
    when: variant.when,
    fits: (gpu, ...args) => {
      const { x, weight, isAsymmetric } = callOf(...args)
      const problem = { m: rowsOf(x.shape), weight, isAsymmetric }
      return isFloatDType(x.dtype) && variant.fits(gpu, problem)
    },
    run: (gpu, ...args) => {
      const { weight, isAsymmetric, product } = callOf(...args)
      return gpu.scope(() =>
        multiplyInt8(gpu, programs, variant, { ...product(gpu), weight, isAsymmetric }),
      )
    },
  }))
}

/** Multiplies by `variant`. */
export function multiplyInt8(
  gpu: GPU,
  { decoder }: Int8Programs,
  variant: Int8Variant,
  product: Int8Product,
): Tensor {
  const { input, weight, bias, residual, outDtype, isAsymmetric } = product
  const { n, parts, rowBytes = 0 } = weight
  const m = rowsOf(input.shape)
  // Two numbers of 16 bits share a word, which only one thread may write.
  const y = gpu.empty([...input.shape.slice(0, -1), n], n % 2 === 0 ? outDtype : 'float32')
  const bound = new Bindings(gpu, parts)
    .add('x', input.codes)
    .add('tokens', input.tokens)
    .add('bias', bias)
    .add('residual', residual)
    .add('y', y)
  const { program, defines, workgroups } = variant.plan(gpu, { m, weight, isAsymmetric })
  const made = program({
    ...weightDefines(decoder, weight),
    ...bound.defines,
    ...outputDefines(bound),
    FIXED_ROWS: false,
    INT8_INPUT: true,
    ASYMMETRIC: isAsymmetric,
    SYMMETRIC_WEIGHT: weight.isSymmetric ?? false,
    PACKED_DOT: gpu.capabilities.packedDot,
    ...defines,
  })
  const bytesOf = (tensor: DenseTensor): number => tensor.nbytes / m
  const cut = Object.entries({ x: input.codes, tokens: input.tokens, y, residual }).flatMap(
    ([name, tensor]) => (tensor ? [[name, bytesOf(gpu.dense(tensor))] as const] : []),
  )
  for (const inputs of rowRanges(gpu, m, ...cut.map(([, bytes]) => bytes))) {
    const ranges = cut.map(([name, bytes]) => [name, { ...inputs, bytes }] as const)
    for (const part of rowRanges(gpu, n, rowBytes)) {
      const codes = rowBytes > 0 && { codes: { ...part, bytes: rowBytes } }
      gpu.dispatch(made, {
        bind: bound.bind({ ...Object.fromEntries(ranges), ...codes }),
        params: [part.first, part.rows, inputs.rows, 0],
        workgroups: workgroups(part.rows, inputs.rows),
      })
    }
  }
  return asFloat(y, outDtype)
}

const rowsOf = (shape: readonly number[]): number => numelOf(shape.slice(0, -1))

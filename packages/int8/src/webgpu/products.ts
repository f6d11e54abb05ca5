/** @file Programs that multiply with an int8 weight: which there are, and how they are dispatched. */

import { itemSize, numelOf, type DenseTensor, type FloatDType, type Tensor } from '@ao/base-tensor'
import {
  floatOutput,
  grid,
  wgsl,
  type Capabilities,
  type Defines,
  type GPU,
  type Program,
  type Workgroups,
} from '@ao/kernels-webgpu'
import { arithmeticWgsl, elementDefines, roundingDefines } from '@ao/quant-primitives/webgpu'
import type { Int8Weight } from '../linear-ops.ts'
import type { QuantizeTensorToInt8Kwargs } from '../quantize-kwargs.ts'
import gemvSource from './gemv.wgsl'
import productSource from './product.wgsl'
import tileSource from './tile.wgsl'
import type { Int8Tuning, TileTuning } from './tuning.ts'
import { boundWeight, rangeOf, rowParts, type BoundWeight } from './weight.ts'

const gemvProgram = /* @__PURE__ */ wgsl('int8Gemv', arithmeticWgsl + productSource + gemvSource)
const tileProgram = /* @__PURE__ */ wgsl('int8Tile', arithmeticWgsl + productSource + tileSource)

/** What is multiplied with a weight: tokens as rows, in numbers or in codes. */
export interface Tokens {
  /** (M, K) of a dtype that shaders have, or (M, words) of int32: codes, four in a word. */
  readonly x: DenseTensor
  /** Scale, zero point and sum of each row of codes; none for numbers. */
  readonly qparams?: DenseTensor | undefined
  readonly count: number
}

/** A product with a weight, and what follows it. */
export interface Product {
  readonly tokens: Tokens
  readonly weight: Int8Weight
  readonly bias: Tensor | undefined
  readonly outDtype: FloatDType
  /** Shape of the result, (..., N). */
  readonly shape: readonly number[]
  readonly isAsymmetric?: boolean
}

/** What is known of a product before it is computed. */
export interface Problem {
  /** Tokens, and sizes of the weight. */
  readonly m: number
  readonly n: number
  readonly k: number
  /** Codes along K that share a scale. */
  readonly group: number
  readonly dtype: string
  /** How the input is quantized; it is not in products of numbers. */
  readonly activation: QuantizeTensorToInt8Kwargs | undefined
}

/** One way to multiply. */
export interface Method {
  readonly name: string
  readonly when: string
  fits(capabilities: Capabilities, problem: Problem): boolean
  /** The program, and its workgroups for tokens and rows of the weight. */
  plan(capabilities: Capabilities, m: number, weight: BoundWeight, defines: Defines): Plan
}

interface Plan {
  readonly program: Program
  workgroups(m: number, n: number): Workgroups
}

/** Multiplies by `method`. */
export function multiply(gpu: GPU, method: Method, product: Product): Tensor {
  const { tokens, outDtype, shape } = product
  const weight = boundWeight(gpu, product.weight)
  const bias = product.bias && gpu.dense(product.bias)
  return floatOutput(gpu, shape, outDtype, (out) => {
    const plan = method.plan(gpu.capabilities, tokens.count, weight, {
      ...weight.defines,
      ...(bias && elementDefines('BIAS', bias)),
      ...roundingDefines({ OUT: outDtype }),
      ...typesOf(tokens, weight.k),
      OUT: wgslFloat(out),
      ASYMMETRIC: product.isAsymmetric ?? false,
      PACKED_DOT: gpu.capabilities.packedDot,
    })
    const { n, k, codes, scales, zeros = scales, scaleRows, group } = weight
    const tokenBytes = (tokens.x.shape.at(-1) as number) * itemSize(tokens.x.dtype)
    const outBytes = n * itemSize(out.dtype)
    for (const some of rowParts(gpu, tokens.count, Math.max(tokenBytes, outBytes))) {
      for (const rows of rowParts(gpu, n, k)) {
        const x = rangeOf(tokens.x, some, tokenBytes)
        const y = rangeOf(out, some, outBytes)
        const bind = [x, rangeOf(codes, rows, k), scales, zeros, bias ?? scales, y]
        gpu.dispatch(plan.program, {
          bind: tokens.qparams ? [...bind, tokens.qparams] : bind,
          params: [some.count, rows.count, some.first, rows.first, n, scaleRows, k, group],
          workgroups: plan.workgroups(some.count, rows.count),
        })
      }
    }
  })
}

/** How programs see tokens and weights, unless they need it otherwise. */
function typesOf({ x, qparams }: Tokens, k: number): Defines {
  const T = wgslFloat(x)
  const CODES = qparams !== undefined
  const SIXTEENS = CODES && k % 16 === 0
  const X = CODES ? 'vec4u' : k % 4 === 0 ? `vec4<${T}>` : T
  return { CODES, SIXTEENS, X, W: SIXTEENS ? 'vec4u' : 'u32' }
}

const wgslFloat = ({ dtype }: Tensor): string => (dtype === 'float16' ? 'f16' : 'f32')

/** Rows of x (..., K). */
export function tokenCount(x: Tensor): number {
  return numelOf(x.shape.slice(0, -1))
}

function gemv({ threads, mostTokens }: Int8Tuning['gemv'], subgroups: boolean): Method {
  return {
    name: subgroups ? 'gemv, subgroups' : 'gemv',
    when: `up to ${mostTokens} tokens, K and groups of 16s${subgroups ? ', subgroups' : ''}`,
    fits: (capabilities, { m, group }) =>
      m <= mostTokens && group % 16 === 0 && (!subgroups || capabilities.subgroups),
    plan: (_capabilities, m, { k, group }, defines) => {
      const { GROUPS, CODES, ASYMMETRIC, ZERO = false } = defines
      const tokens = m <= 1 ? 1 : 2 ** Math.ceil(Math.log2(m))
      return {
        program: gemvProgram({
          ...defines,
          SIXTEENS: true,
          W: 'vec4u',
          K: `${k}u`,
          GROUP: `${group}u`,
          THREADS: threads,
          TOKENS: tokens,
          SUMS: ASYMMETRIC ? tokens + 1 : tokens,
          SUBGROUPS: subgroups,
          INTO: GROUPS ? 'part' : 'sum',
          SUBTRACTS: Boolean(ZERO) && !GROUPS && !CODES,
        }),
        workgroups: (_m, n) => grid(Math.ceil(n / 4)),
      }
    },
  }
}

function tile(name: string, mostTokens: number, tuning: TileTuning): Method {
  const { tokens, rows, depth, threadTokens, threadRows } = tuning
  const threadsM = tokens / threadTokens
  const threadsN = rows / threadRows
  return {
    name,
    when: mostTokens === Infinity ? 'always' : `up to ${mostTokens} tokens`,
    fits: (_capabilities, { m }) => m <= mostTokens,
    plan: (_capabilities, _m, _weight, defines) => ({
      program: tileProgram({
        ...defines,
        K: 'params.k',
        GROUP: 'params.group',
        TILE_M: tokens,
        TILE_N: rows,
        TILE_K: depth,
        THREADS_M: threadsM,
        THREADS_N: threadsN,
        THREADS: threadsM * threadsN,
        TOKEN_QUADS: threadTokens / 4,
        ROW_QUADS: threadRows / 4,
      }),
      workgroups: (m, n) => [Math.ceil(m / tokens), Math.ceil(n / rows)],
    }),
  }
}

/** All methods, best first. */
export function methods({ gemv: lanes, smallTile, largeTile }: Int8Tuning): Method[] {
  return [
    gemv(lanes, true),
    gemv(lanes, false),
    tile('tile, few tokens', 32, smallTile),
    tile('tile', Infinity, largeTile),
  ]
}

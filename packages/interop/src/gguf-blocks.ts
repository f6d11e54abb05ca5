/**
 * @file GGUF's `Q4_0` and `Q8_0` (llama.cpp): blocks of 32 values along K, row after row.
 *
 *     Q4_0  | d float16 | 16 bytes: byte j holds code j (low half) and code j + 16 (high half) |
 *           value = (code - 8) * d
 *     Q8_0  | d float16 | 32 codes of int8 |
 *           value = code * d
 */

import {
  arrayFromBytes,
  asDense,
  DTypeError,
  fromFloat32Array,
  hostArray,
  isFloatDType,
  ShapeError,
  toFloat32Array,
  ValueError,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { packNibbles, unpackNibbles } from '@ao/quantized-linear'
import { type Int4Codes } from '@ao/quantized-linear'
import { bytesOf } from './bytes.ts'
import {
  INT4_CENTER,
  INT4_RANGE,
  readInt4Codes,
  readGroupedInt8Codes,
  writeInt4Codes,
  writeGroupedInt8Codes,
  type GroupedInt8Codes,
} from './codes.ts'
import { PACKAGE } from './errors.ts'
import { fitAround } from './fit.ts'
import { splitGroups } from './groups.ts'
import { measureRounding, type Converted, type RoundingOptions } from './rounding.ts'

/** A tensor as a GGUF file holds it. */
export interface GgufTensor {
  readonly type: 'F32' | 'F16' | 'BF16' | 'Q4_0' | 'Q8_0'
  /** Outermost dimension first, (N, K) for a weight; files list them the other way round. */
  readonly shape: readonly number[]
  /** Little-endian. */
  readonly data: Uint8Array
}

const BLOCK = 32
const INT8_RANGE = { min: -128, max: 127 }

/**
 * A 4-bit weight (N, K) in blocks of `Q4_0`.
 *
 * @remarks Exact for symmetric codes with scales that float16 holds, and for integer zero points whose groups
 * span at most -8..7 or -7..8. Larger groups are split exactly. Scales beyond float16's precision are
 * rounded; other groups are quantized anew around 0.
 *
 * @throws {@link ValueError} when something is rounded without `allowRounding`, or the group size is no
 * multiple of 32
 */
export function toQ4_0(codes: Int4Codes, options: RoundingOptions = {}): GgufTensor & Converted {
  takes('o<codes:t scale:t groupSize:n dtype:z>o{allowRounding}?', codes, options)
  const source = splitGroups(readInt4Codes(codes), BLOCK)
  const target = fitAround(source, INT4_RANGE, INT4_CENTER)
  const why = 'float16 scales and values of at most -8..7 or -7..8 scales in each group'
  const sqnr = measureRounding(source, target, why, options)
  const data = joinBlocks(target.scale, packNibbles(pairHalves(target.codes)))
  return { type: 'Q4_0', shape: [source.n, source.k], data, sqnr }
}

/**
 * An 8-bit weight (N, K) in blocks of `Q8_0`.
 *
 * @remarks Exact for symmetric codes with scales that float16 holds. Larger groups, and whole rows, are split
 * exactly. Scales beyond float16's precision are rounded; groups whose zero points take values out of
 * -128..127 scales are quantized anew around 0.
 *
 * @throws {@link ValueError} when something is rounded without `allowRounding`, or the group size is no
 * multiple of 32
 */
export function toQ8_0(
  codes: GroupedInt8Codes,
  options: RoundingOptions = {},
): GgufTensor & Converted {
  takes('o<codes:t scale:t groupSize:n dtype:z>o{allowRounding}?', codes, options)
  const source = splitGroups(readGroupedInt8Codes(codes), BLOCK)
  const target = fitAround(source, INT8_RANGE, 0)
  const why = 'float16 scales and values of at most -128..127 scales in each group'
  const sqnr = measureRounding(source, target, why, options)
  const data = joinBlocks(target.scale, bytesOf(target.codes))
  return { type: 'Q8_0', shape: [source.n, source.k], data, sqnr }
}

/**
 * The codes of a weight in `Q4_0`: exact, symmetric, in groups of 32 with float16 scales.
 *
 * @throws {@link ShapeError} or {@link ValueError} unless it is of that type, (N, K), and complete
 */
export function fromQ4_0(tensor: GgufTensor): Int4Codes {
  takes('o<type:x shape:s data:a>', tensor)
  const { scale, payload, ...sizes } = splitBlocks(tensor, 'Q4_0', BLOCK / 2)
  const codes = unpairHalves(unpackNibbles(payload))
  const zeroPoint = new Float64Array(scale.length).fill(INT4_CENTER)
  return writeInt4Codes({ ...sizes, codes, scale, zeroPoint }, 'float16')
}

/**
 * The codes of a weight in `Q8_0`: exact, symmetric, in groups of 32 with float16 scales.
 *
 * @throws {@link ShapeError} or {@link ValueError} unless it is of that type, (N, K), and complete
 */
export function fromQ8_0(tensor: GgufTensor): GroupedInt8Codes {
  takes('o<type:x shape:s data:a>', tensor)
  const { scale, payload, ...sizes } = splitBlocks(tensor, 'Q8_0', BLOCK)
  const zeroPoint = new Float64Array(scale.length)
  return writeGroupedInt8Codes(
    { ...sizes, codes: new Int8Array(payload.buffer), scale, zeroPoint },
    'float16',
  )
}

/** A float tensor of any shape for a GGUF file: norms, biases, weights that stay as they are. */
export function toGgufFloat(tensor: Tensor): GgufTensor {
  takes('t', tensor)
  const types = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const
  const { dtype, shape } = asDense(tensor)
  if (isFloatDType(dtype)) return { type: types[dtype], shape, data: bytesOf(hostArray(tensor)) }
  throw new DTypeError({ package: PACKAGE, expected: 'a floating tensor', got: dtype })
}

/** Codes of each block in the order 0, 16, 1, 17, ..., so that two that share a byte are neighbours. */
function pairHalves(codes: Uint8Array | Int8Array): Uint8Array {
  const out = new Uint8Array(codes.length)
  for (let i = 0; i < out.length; i++) out[i] = codes[unpaired(i)] as number
  return out
}

/** The inverse of {@link pairHalves}. */
function unpairHalves(codes: Uint8Array): Uint8Array {
  const out = new Uint8Array(codes.length)
  for (let i = 0; i < out.length; i++) out[unpaired(i)] = codes[i] as number
  return out
}

/** Where the code at `i` of the paired order lies in the plain one. */
function unpaired(i: number): number {
  const at = i % BLOCK
  return i - at + (at >> 1) + (at % 2) * (BLOCK / 2)
}

/** Blocks of a scale and an equal part of the payload. */
function joinBlocks(scale: Float32Array, payload: Uint8Array): Uint8Array {
  const size = payload.length / scale.length
  const scaleBytes = bytesOf(fromFloat32Array(scale, 'float16'))
  const data = new Uint8Array(payload.length + scaleBytes.length)
  for (let b = 0; b < scale.length; b++) {
    const at = b * (2 + size)
    data.set(scaleBytes.subarray(2 * b, 2 * b + 2), at)
    data.set(payload.subarray(b * size, (b + 1) * size), at + 2)
  }
  return data
}

interface Blocks {
  readonly n: number
  readonly k: number
  readonly groupSize: number
  readonly scale: Float32Array
  readonly payload: Uint8Array
}

/** The inverse of {@link joinBlocks}, for blocks of `size` bytes beside the scale. */
function splitBlocks({ type, shape, data }: GgufTensor, expected: string, size: number): Blocks {
  const [n = 0, k = 0] = shape
  if (type !== expected) {
    throw new ValueError({ package: PACKAGE, expected: `a tensor of ${expected}`, got: type })
  }
  const blocks = (n * k) / BLOCK
  if (shape.length !== 2 || k % BLOCK !== 0 || data.length !== blocks * (2 + size)) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `(N, K) with K a multiple of ${BLOCK}, and ${2 + size} bytes for each ${BLOCK} values`,
      got: `[${shape.join(', ')}] and ${data.length} bytes`,
    })
  }
  const scaleBytes = new Uint8Array(blocks * 2)
  const payload = new Uint8Array(blocks * size)
  for (let b = 0; b < blocks; b++) {
    const at = b * (2 + size)
    scaleBytes.set(data.subarray(at, at + 2), 2 * b)
    payload.set(data.subarray(at + 2, at + 2 + size), b * size)
  }
  const scale = toFloat32Array(arrayFromBytes('float16', scaleBytes), 'float16')
  return { n, k, groupSize: BLOCK, scale, payload }
}

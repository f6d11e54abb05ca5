/**
 * @file Codes of 1 to 7 bits in bytes, as torchao's `pack` lays them out.
 *
 * Bits are cut into shards of 4, 2 and 1, the widest first, which has the lowest bits: 7 = 4 + 2 + 1. A shard of
 * width w over L codes along a dimension has L w / 8 bytes: byte i holds those of codes i, i + L w / 8,
 * i + 2 L w / 8, ..., from the lowest bits on. With w = 2 and L = 16:
 *
 *     bit   7 6 | 5 4 | 3 2 | 1 0
 *     code i+12 | i+8 | i+4 |  i        byte i of 4
 */

import {
  defineOp,
  fromArray,
  hostArray,
  ShapeError,
  ValueError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './layout.ts'

/** Widths of shards. */
export type ShardWidth = 1 | 2 | 4

/** The shards of codes of `bits` bits: the lowest bit of each, by its width. */
export function shardsOf(bits: number): readonly (readonly [width: ShardWidth, shift: number])[] {
  if (!(Number.isInteger(bits) && bits >= 1 && bits <= 7)) {
    throw fail(ValueError, 'codes of 1 to 7 bits', bits)
  }
  let shift = 0
  return ([4, 2, 1] as const)
    .filter((width) => (bits & width) > 0)
    .map((width) => {
      const own = [width, shift] as const
      shift += width
      return own
    })
}

/** One byte of a shard, and the codes in it: rows along the dimension, and what lies before and behind it. */
interface Plan {
  readonly shape: readonly number[]
  readonly outer: number
  /** Bytes along the dimension. */
  readonly rows: number
  readonly inner: number
}

/** @throws {@link ShapeError} unless the dimension is a multiple of 8 */
export function planOf(shape: readonly number[], dim: number, width: number): Plan {
  const at = dim < 0 ? dim + shape.length : dim
  const size = shape[at]
  if (size === undefined || size % 8 !== 0) {
    throw fail(ShapeError, `a size along dimension ${dim} that is a multiple of 8`, shape)
  }
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)
  const rows = (size * width) / 8
  const [outer, inner] = [product(shape.slice(0, at)), product(shape.slice(at + 1))]
  return { shape: shape.with(at, rows), outer, rows, inner }
}

/** Calls `each` with every byte of a shard, and each of its codes from the lowest bits on. */
function forEachCode(
  { outer, rows, inner }: Plan,
  width: number,
  each: (byte: number, code: number, at: number) => void,
): void {
  const perByte = 8 / width
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < perByte; j++) {
      for (let i = 0; i < rows * inner; i++) {
        each(o * rows * inner + i, (o * perByte + j) * rows * inner + i, j * width)
      }
    }
  }
}

/**
 * The shards of codes, in the order of torchao's `pack`.
 *
 * `codes` (...) of uint8 or int8, below 2^bits -> uint8, each with the packed dimension times width / 8
 *
 * @throws {@link ShapeError} unless the size along `dim` is a multiple of 8; {@link ValueError} for other bits
 */
export const packUintx: Op<[codes: Tensor, bits: number, dim: number], readonly Tensor[]> =
  /* @__PURE__ */ defineOp({
    name: 'uintx.pack',
    takes: 'tnn',
    reference: (codes: Tensor, bits: number, dim: number): readonly Tensor[] => {
      const source = hostArray(codes)
      return shardsOf(bits).map(([width, shift]) => {
        const plan = planOf(codes.shape, dim, width)
        const bytes = new Uint8Array(plan.outer * plan.rows * plan.inner)
        const mask = 2 ** width - 1
        forEachCode(plan, width, (byte, code, at) => {
          const own = (Number(source[code]) >> shift) & mask
          bytes[byte] = (bytes[byte] as number) | (own << at)
        })
        return fromArray(bytes, plan.shape, 'uint8')
      })
    },
    meta: (codes: Tensor, bits: number, dim: number): readonly Tensor[] =>
      shardsOf(bits).map(([width]) =>
        zeros(planOf(codes.shape, dim, width).shape, 'uint8', codes.device),
      ),
  })

/**
 * {@link packUintx} undone: uint8 codes; torchao's `unpack`.
 *
 * @throws {@link ShapeError} unless the shards are of one weight
 */
export const unpackUintx: Op<[shards: readonly Tensor[], bits: number, dim: number], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'uintx.unpack',
    takes: 'lnn',
    reference: (shards: readonly Tensor[], bits: number, dim: number): Tensor => {
      const shape = codesShape(shards, bits, dim)
      const codes = new Uint8Array(shape.reduce((a, b) => a * b, 1))
      shardsOf(bits).forEach(([width, shift], i) => {
        const bytes = hostArray(shards[i] as Tensor)
        const mask = 2 ** width - 1
        forEachCode(planOf(shape, dim, width), width, (byte, code, at) => {
          codes[code] = (codes[code] as number) | (((Number(bytes[byte]) >> at) & mask) << shift)
        })
      })
      return fromArray(codes, shape, 'uint8')
    },
    meta: (shards: readonly Tensor[], bits: number, dim: number): Tensor =>
      zeros(codesShape(shards, bits, dim), 'uint8', (shards[0] as Tensor).device),
  })

function codesShape(shards: readonly Tensor[], bits: number, dim: number): readonly number[] {
  const widths = shardsOf(bits).map(([width]) => width)
  const [first] = shards
  const at = dim < 0 ? dim + (first?.ndim ?? 0) : dim
  const rows = first?.shape[at]
  const size = rows === undefined ? undefined : (rows * 8) / (widths[0] as number)
  const shape = size === undefined || size % 8 !== 0 ? undefined : first?.shape.with(at, size)
  const fits = (shard: Tensor, i: number): boolean =>
    shape !== undefined &&
    shard.shape.join() === planOf(shape, dim, widths[i] as number).shape.join()
  if (shape && shards.length === widths.length && shards.every(fits)) return shape
  const got = shards.map((shard) => `[${shard.shape.join(', ')}]`).join(', ')
  throw fail(ShapeError, `the ${widths.length} shards of codes of ${bits} bits`, got)
}

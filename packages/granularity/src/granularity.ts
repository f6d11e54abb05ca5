/**
 * @file How finely a tensor is quantized: which elements share one scale.
 *
 * Each kind is a type and a function of the same name that makes its values. Values are frozen plain
 * objects, told apart by `type`.
 */

import { ValueError, takes } from '@ao/base-tensor'

import { fail } from './errors.ts'
/** One scale for the whole tensor. */
export interface PerTensor {
  readonly type: 'PerTensor'
}

/** One scale for each index of dimension `axis`: all *other* dimensions are reduced. */
export interface PerAxis {
  readonly type: 'PerAxis'
  readonly axis: number
}

/** One scale for each row that runs along dimension `dim`: only `dim` is reduced. */
export interface PerRow {
  readonly type: 'PerRow'
  readonly dim: number
}

/** One scale for each row of the last dimension; for activations. */
export interface PerToken {
  readonly type: 'PerToken'
}

/** One scale for each run of `groupSize` elements of the last dimension. */
export interface PerGroup {
  readonly type: 'PerGroup'
  readonly groupSize: number
}

/** One scale for each rectangular block; `blockSize` is aligned with the last dimensions. */
export interface PerBlock {
  readonly type: 'PerBlock'
  readonly blockSize: readonly number[]
}

/** Which elements of a tensor share one scale and zero point. */
export type Granularity = PerTensor | PerAxis | PerRow | PerToken | PerGroup | PerBlock

/** One scale for the whole tensor; torchao's `PerTensor`. */
export function PerTensor(): PerTensor {
  return Object.freeze({ type: 'PerTensor' })
}

/**
 * One scale for each index of `axis`, the dimension that is *kept*; torchao's `PerAxis`.
 *
 * @param axis - counted from the end where negative
 * @throws {@link ValueError} unless `axis` is an integer
 */
export function PerAxis(axis: number): PerAxis {
  checkInteger('the axis of PerAxis', axis)
  return Object.freeze({ type: 'PerAxis', axis })
}

/**
 * One scale for each row along `dim`, the dimension that is *reduced*; torchao's `PerRow`.
 *
 * @param dim - counted from the end where negative; the last one unless given
 * @throws {@link ValueError} unless `dim` is an integer
 */
export function PerRow(dim: number = -1): PerRow {
  checkInteger('the dim of PerRow', dim)
  return Object.freeze({ type: 'PerRow', dim })
}

/** One scale for each row of the last dimension; torchao's `PerToken`. */
export function PerToken(): PerToken {
  return Object.freeze({ type: 'PerToken' })
}

/**
 * One scale for each `groupSize` neighbours in the last dimension; torchao's `PerGroup`.
 *
 * @throws {@link ValueError} unless `groupSize` is a positive integer
 */
export function PerGroup(groupSize: number): PerGroup {
  checkPositive('the group size of PerGroup', groupSize)
  return Object.freeze({ type: 'PerGroup', groupSize })
}

/**
 * One scale for each block of `blockSize` elements; torchao's `PerBlock`.
 *
 * @param blockSize - sizes along the last dimensions; dimensions before them have blocks of 1
 * @throws {@link ValueError} unless all sizes are positive integers
 */
export function PerBlock(blockSize: readonly number[]): PerBlock {
  takes('l', blockSize)
  for (const size of blockSize) checkPositive('each size of PerBlock', size)
  return Object.freeze({ type: 'PerBlock', blockSize: Object.freeze([...blockSize]) })
}

/**
 * Whether two granularities are the same value.
 *
 * @remarks As in torchao, `PerRow(-1)` and `PerRow(1)` differ: what they have in common depends on a
 * shape that a granularity does not know.
 */
export function granularityEquals(a: Granularity, b: Granularity): boolean {
  takes('oo', a, b)
  switch (a.type) {
    case 'PerAxis':
      return b.type === a.type && a.axis === b.axis
    case 'PerRow':
      return b.type === a.type && a.dim === b.dim
    case 'PerGroup':
      return b.type === a.type && a.groupSize === b.groupSize
    case 'PerBlock':
      return b.type === a.type && String(a.blockSize) === String(b.blockSize)
    default:
      return b.type === a.type
  }
}

/** What a message says of a granularity that will not do; `PerRow` for `PerRow()` is a common slip. */
export function describeGranularity(granularity: unknown): string {
  if (typeof granularity === 'function') return 'a function; call it, as in PerRow()'
  const { type } = Object(granularity) as { readonly type?: unknown }
  return typeof type === 'string' ? JSON.stringify(granularity) : typeof granularity
}

function checkInteger(what: string, value: number): void {
  if (!Number.isSafeInteger(value)) throw invalid(`an integer for ${what}`, value)
}

function checkPositive(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw invalid(`a positive integer for ${what}`, value)
  }
}

function invalid(expected: string, value: number): ValueError {
  return fail(ValueError, expected, value)
}

/** @file The numbers that decide speed, not results. */

/** A tile of tokens and rows of the weight, and what one thread has of it. */
export interface TileTuning {
  readonly tokens: number
  readonly rows: number
  /** Steps along K that lie in shared memory: numbers, or words of four codes. */
  readonly depth: number
  /** Tokens and rows of a thread, multiples of 4. */
  readonly threadTokens: number
  readonly threadRows: number
}

/** Sizes of every kernel of int8 products. */
export interface Int8Tuning {
  /** Threads that share four rows of the weight, and how many tokens they multiply at most. */
  readonly gemv: { readonly threads: number; readonly mostTokens: number }
  /** Up to 32 tokens. */
  readonly smallTile: TileTuning
  readonly largeTile: TileTuning
}

/**
 * The sizes that are used unless others are given.
 *
 * Portable GPUs share 16 KiB in a workgroup: 64 threads with sums of nine vectors take 9 KiB, tiles less.
 */
export const INT8_TUNING: Int8Tuning = {
  gemv: { threads: 64, mostTokens: 8 },
  smallTile: { tokens: 32, rows: 64, depth: 16, threadTokens: 4, threadRows: 4 },
  largeTile: { tokens: 64, rows: 64, depth: 16, threadTokens: 4, threadRows: 8 },
}

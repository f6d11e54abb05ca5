/** @file Sizes that decide the speed of linear kernels, not their results. */

import { takes } from '@ao/base-tensor'
import { MATRIX_TUNING, type MatrixTuning } from '@ao/kernels-webgpu/matrices'

/** How threads share a weight's rows and columns. */
export interface LaneTuning {
  /** Of a workgroup, unless `lanes` are more. */
  readonly threads: number
  /** Threads that share the chunks of a row: powers of two, between these. */
  readonly minLanes: number
  readonly maxLanes: number
  /** Lanes double, from the fewest on, until a product has this many threads. */
  readonly wantedThreads: number
}

/** Sizes of every kernel for inputs of floats. */
export interface LinearTuning {
  /**
   * What products of float16 inputs are computed in, where shaders have it. f32 does in 32 bits, and without
   * matrices of subgroups, what these kernels do: to test them on GPUs that have neither.
   */
  readonly half: 'f16' | 'f32'
  /** One row of the input. */
  readonly gemv: LaneTuning
  /** Up to `maxRows` rows of the input, of which a thread takes `columns` at a time. */
  readonly batch: LaneTuning & { readonly columns: number; readonly maxRows: number }
  /** Matrices of subgroups, where the GPU has them. */
  readonly matrix: MatrixTuning
  /** Many rows of the input: `rows` of the output for each thread, 4 or 8. */
  readonly tile: { readonly rows: 4 | 8 }
}

/** Some of the sizes; others stay. */
export type LinearTuningOptions = {
  readonly [Name in keyof LinearTuning]?: Name extends 'half'
    ? LinearTuning['half']
    : Partial<LinearTuning[Name]>
}

/**
 * The sizes that are used unless others are given.
 *
 * A large GPU holds some 270,000 threads (132 processors of 2,048 on an H100); with half of them each has
 * several loads on its way, which is what reading at full bandwidth takes.
 */
export const LINEAR_TUNING: LinearTuning = {
  half: 'f16',
  gemv: { threads: 64, minLanes: 32, maxLanes: 128, wantedThreads: 100_000 },
  batch: {
    threads: 128,
    minLanes: 8,
    maxLanes: 128,
    wantedThreads: 131_072,
    columns: 8,
    maxRows: 32,
  },
  matrix: { ...MATRIX_TUNING, minRows: 5 },
  tile: { rows: 4 },
}

/** `LINEAR_TUNING` with some sizes replaced. */
export function linearTuning(options: LinearTuningOptions = {}): LinearTuning {
  takes('o{half gemv batch matrix tile}', options)
  return {
    half: options.half ?? LINEAR_TUNING.half,
    gemv: { ...LINEAR_TUNING.gemv, ...options.gemv },
    batch: { ...LINEAR_TUNING.batch, ...options.batch },
    matrix: { ...LINEAR_TUNING.matrix, ...options.matrix },
    tile: { ...LINEAR_TUNING.tile, ...options.tile },
  }
}

/** Lanes for `quads` times four rows of `chunks` chunks each. */
export function lanesFor(tuning: LaneTuning, quads: number, chunks: number): number {
  const { minLanes, maxLanes, wantedThreads } = tuning
  let lanes = minLanes
  while (lanes < maxLanes && lanes < chunks && quads * lanes < wantedThreads) lanes *= 2
  return lanes
}

/** A tile of rows of the input (tokens) and of the weight, and what one thread has of it. */
export interface Int8TileTuning {
  readonly tokens: number
  readonly rows: number
  /** Words of four codes along K that lie in shared memory. */
  readonly depth: number
  /** Tokens and rows of a thread, multiples of 4. */
  readonly threadTokens: number
  readonly threadRows: number
}

/** Sizes of every kernel for inputs of int8. */
export interface Int8Tuning {
  /** Threads that share four rows of the weight, and how many rows of the input they take at most. */
  readonly gemv: { readonly threads: number; readonly mostRows: number }
  /** One row of the input, by a kernel of the decoder. */
  readonly ownGemv: LaneTuning
  /** Up to 32 rows of the input. */
  readonly smallTile: Int8TileTuning
  readonly largeTile: Int8TileTuning
  readonly matrix: MatrixTuning
}

/** Without the largest tile: on an H100, 512 rows of int8 weights take a third longer with it. */
export const INT8_MATRIX_TUNING: MatrixTuning = /* @__PURE__ */ withoutLargest(MATRIX_TUNING)

/* @__NO_SIDE_EFFECTS__ */
function withoutLargest(tuning: MatrixTuning): MatrixTuning {
  return { ...tuning, tiles: tuning.tiles.slice(1) }
}

/**
 * The sizes that are used unless others are given.
 *
 * Portable GPUs share 16 KiB in a workgroup: 64 threads with sums of nine vectors take 9 KiB, tiles less.
 */
export const INT8_TUNING: Int8Tuning = {
  gemv: { threads: 64, mostRows: 8 },
  ownGemv: LINEAR_TUNING.gemv,
  smallTile: { tokens: 32, rows: 64, depth: 16, threadTokens: 4, threadRows: 4 },
  largeTile: { tokens: 64, rows: 64, depth: 16, threadTokens: 4, threadRows: 8 },
  matrix: INT8_MATRIX_TUNING,
}

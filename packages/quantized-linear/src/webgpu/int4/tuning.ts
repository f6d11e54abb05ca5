/** @file Sizes that the speed of int4 kernels hangs on. */

import { MATRIX_TUNING, type MatrixTuning } from '@ao/kernels-webgpu/matrices'

/** How threads share a weight's rows and columns. */
export interface Int4LaneTuning {
  /** Of a workgroup, unless `lanes` are more. */
  readonly threads: number
  /** Threads that walk along K together: powers of two, between these. */
  readonly minLanes: number
  readonly maxLanes: number
  /** Lanes double, from the fewest on, until a product has this many threads. */
  readonly wantedThreads: number
}

/** Sizes of every int4 kernel. */
export interface Int4Tuning {
  /**
   * What products of float16 inputs are computed in, where shaders have it. f32 does in 32 bits, and without
   * matrices of subgroups, what these kernels do: to test them on GPUs that have neither.
   */
  readonly half: 'f16' | 'f32'
  /** One row of the input. */
  readonly gemv: Int4LaneTuning
  /** Up to `maxRows` rows of the input, of which a thread takes `columns` at a time. */
  readonly batch: Int4LaneTuning & { readonly columns: number; readonly maxRows: number }
  /** Matrices of subgroups, where the GPU has them. */
  readonly matrix: MatrixTuning
  /** Many rows of the input: `tile` rows of the output for each thread, 4 or 8. */
  readonly gemm: { readonly tile: 4 | 8 }
}

/** Some of the sizes; others stay. */
export type Int4TuningOptions = {
  readonly [Name in keyof Int4Tuning]?: Name extends 'half'
    ? Int4Tuning['half']
    : Partial<Int4Tuning[Name]>
}

/**
 * The sizes that are used unless others are given.
 *
 * A large GPU holds some 270,000 threads (132 processors of 2,048 on an H100); with half of them each has
 * several loads on its way, which is what reading at full bandwidth takes.
 */
export const INT4_TUNING: Int4Tuning = {
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
  gemm: { tile: 4 },
}

/** `INT4_TUNING` with some sizes replaced. */
export function int4Tuning(options: Int4TuningOptions = {}): Int4Tuning {
  return {
    half: options.half ?? INT4_TUNING.half,
    gemv: { ...INT4_TUNING.gemv, ...options.gemv },
    batch: { ...INT4_TUNING.batch, ...options.batch },
    matrix: { ...INT4_TUNING.matrix, ...options.matrix },
    gemm: { ...INT4_TUNING.gemm, ...options.gemm },
  }
}

/** Lanes for `walks` walks along K of `pieces` steps each. */
export function lanesFor(tuning: Int4LaneTuning, walks: number, pieces: number): number {
  const { minLanes, maxLanes, wantedThreads } = tuning
  let lanes = minLanes
  while (lanes < maxLanes && lanes < pieces && walks * lanes < wantedThreads) lanes *= 2
  return lanes
}

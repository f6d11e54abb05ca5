/** @file Sizes that the speed of int4 kernels hangs on. */

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
  /** One row of the input. Products of float16 inputs are in `half`: f32 tests them without shader-f16. */
  readonly gemv: Int4LaneTuning & { readonly half: 'f16' | 'f32' }
  /** Many rows of the input: `tile` rows of the output for each thread, 4 or 8. */
  readonly gemm: { readonly tile: 4 | 8 }
}

/** Some of the sizes; others stay. */
export type Int4TuningOptions = { readonly [Name in keyof Int4Tuning]?: Partial<Int4Tuning[Name]> }

/**
 * The sizes that are used unless others are given.
 *
 * A large GPU holds some 270,000 threads (132 processors of 2,048 on an H100); with half of them each has
 * several loads on its way, which is what reading at full bandwidth takes.
 */
export const INT4_TUNING: Int4Tuning = {
  gemv: { threads: 128, minLanes: 32, maxLanes: 256, wantedThreads: 131_072, half: 'f16' },
  gemm: { tile: 4 },
}

/** `INT4_TUNING` with some sizes replaced. */
export function int4Tuning(options: Int4TuningOptions = {}): Int4Tuning {
  return {
    gemv: { ...INT4_TUNING.gemv, ...options.gemv },
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

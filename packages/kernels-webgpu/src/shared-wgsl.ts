/** @file WGSL that goes before kernels which call it, of other packages, too. */

import numbersSource from './wgsl/numbers.wgsl'
import reduceSource from './wgsl/reduce.wgsl'
import storedSource from './wgsl/stored.wgsl'

// Not exported from the shader files: what bundles declarations does not know these.

/** Functions between floats and their bits. */
export const numbersWgsl: string = numbersSource

/** Loads and stores of four floats as they are stored. Goes behind {@link numbersWgsl}. */
export const storedWgsl: string = storedSource

/** Sums and maxima over a workgroup. */
export const reduceWgsl: string = reduceSource

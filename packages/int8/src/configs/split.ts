/** @file The granularities of activations and weights, out of a config's option. */

import { splitGranularity, type GranularityPair, type SplitGranularity } from '@ao/quantized-linear'
import { fail } from '../errors.ts'

/** @throws {@link ValueError} for lists of another length than two, or weights by group */
export function split(pair: GranularityPair): SplitGranularity {
  const cure = 'Use Int8WeightOnlyConfig to quantize weights by group.'
  return splitGranularity(pair, fail, cure)
}

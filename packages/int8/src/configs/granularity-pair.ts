/** @file One granularity for activations and weights, or one for each. */

import { rejectJson, ValueError, type JsonCodec } from '@ao/base-tensor'
import { granularityCodec, type Granularity } from '@ao/granularity'
import { PACKAGE } from '../layout.ts'

/** One granularity for both, or `[activation, weight]`. */
export type GranularityPair = Granularity | readonly [activation: Granularity, weight: Granularity]

/** The granularities of the activation and of the weight. */
export interface SplitGranularity {
  readonly activation: Granularity
  readonly weight: Granularity
}

/**
 * Takes a pair apart and checks the weight's part; the activation's is checked where it is used.
 *
 * torchao's `Int8Tensor._normalize_granularity`.
 *
 * @throws {@link ValueError} for lists of another length, or weights by group
 */
export function splitGranularity(pair: GranularityPair): SplitGranularity {
  const list: readonly Granularity[] = isList(pair) ? pair : [pair, pair]
  const [activation, weight] = list
  if (!activation || !weight || list.length !== 2) {
    throw new ValueError({
      package: PACKAGE,
      expected: 'one granularity, or a list of two: of activations, of weights',
      got: `a list of ${list.length}`,
    })
  }
  if (weight.type !== 'PerTensor' && weight.type !== 'PerRow') {
    throw new ValueError({
      package: PACKAGE,
      expected: 'PerTensor or PerRow as the granularity of weights that meet int8 activations',
      got: JSON.stringify(weight),
      cure: 'Use Int8WeightOnlyConfig to quantize weights by group.',
    })
  }
  return { activation, weight }
}

/** {@link GranularityPair} in config JSON, in the form in which it was given. */
export const granularityPairCodec: JsonCodec<GranularityPair> = {
  encode: (pair, dialect) =>
    isList(pair)
      ? pair.map((granularity) => granularityCodec.encode(granularity, dialect))
      : granularityCodec.encode(pair, dialect),
  decode: (json, path) => {
    if (!Array.isArray(json)) return granularityCodec.decode(json, path)
    const [activation, weight] = json.map((item, i) =>
      granularityCodec.decode(item, `${path}[${i}]`),
    )
    return activation && weight && json.length === 2
      ? [activation, weight]
      : rejectJson(path, 'one granularity or a list of two', json)
  },
}

function isList(
  pair: GranularityPair,
): pair is readonly [activation: Granularity, weight: Granularity] {
  return Array.isArray(pair)
}

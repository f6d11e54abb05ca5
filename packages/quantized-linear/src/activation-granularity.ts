/** @file One granularity for activations and weights, or one for each. */

import {
  decodeJson,
  encodeJson,
  rejectJson,
  takes,
  ValueError,
  type ErrorMaker,
  type JsonCodec,
} from '@ao/base-tensor'
import { describeGranularity, granularityCodec, type Granularity } from '@ao/granularity'

/** One granularity for both, or `[activation, weight]`. */
export type GranularityPair = Granularity | readonly [activation: Granularity, weight: Granularity]

/** The granularities of the activation and of the weight. */
export interface SplitGranularity {
  readonly activation: Granularity
  readonly weight: Granularity
}

/**
 * Takes a pair apart and checks the weight's part: PerTensor or PerRow, as inputs of codes are multiplied with
 * weights of one scale a row. The activation's part is checked where it is used.
 *
 * torchao's `Int8Tensor._normalize_granularity`.
 *
 * @param fail - the errors of the package whose option it is
 * @param cure - what to use for weights by group
 * @throws {@link ValueError} for lists of another length, or weights by group
 */
export function splitGranularity(
  pair: GranularityPair,
  fail: ErrorMaker,
  cure: string,
): SplitGranularity {
  takes('.fx', pair, fail, cure)
  const list: readonly Granularity[] = isList(pair) ? pair : [pair, pair]
  const [activation, weight] = list
  if (!activation || !weight || list.length !== 2) {
    const expected = 'one granularity, or a list of two: of activations, of weights'
    throw fail(ValueError, expected, `a list of ${list.length}`)
  }
  if (weight.type !== 'PerTensor' && weight.type !== 'PerRow') {
    throw fail(
      ValueError,
      'PerTensor or PerRow as the granularity of weights that meet quantized activations',
      describeGranularity(weight),
      cure,
    )
  }
  return { activation, weight }
}

/** {@link GranularityPair} in config JSON, in the form in which it was given. */
export const granularityPairCodec: JsonCodec<GranularityPair> = {
  encode: (pair, dialect) =>
    isList(pair)
      ? pair.map((granularity) => encodeJson(granularityCodec, granularity, dialect))
      : encodeJson(granularityCodec, pair, dialect),
  decode: (json, path) => {
    if (!Array.isArray(json)) return decodeJson(granularityCodec, json, path)
    const [activation, weight] = json.map((item, i) =>
      decodeJson(granularityCodec, item, `${path}[${i}]`),
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

/** @file Granularities as torchao writes them, in tensor metadata and in config JSON. */

import {
  integerCodec,
  listCodec,
  positiveIntegerCodec,
  unionCodec,
  type JsonCodec,
} from '@ao/base-tensor'
import type { Granularity } from './granularity.ts'

/**
 * Granularities in JSON: `{"_type": "PerRow", "_data": {"dim": -1}}`, with `"_version": 1` in config
 * JSON. A `PerRow` without `dim`, as older files have it, is read as `PerRow(-1)`.
 */
export const granularityCodec: JsonCodec<Granularity> = /* @__PURE__ */ unionCodec<Granularity>({
  PerTensor: {},
  PerAxis: { axis: { codec: integerCodec } },
  // Files of torchao before 0.15 have no `dim`: rows always ran along the last dimension.
  PerRow: { dim: { codec: integerCodec, fallback: -1 } },
  PerToken: {},
  PerGroup: { groupSize: { codec: positiveIntegerCodec } },
  PerBlock: { blockSize: { codec: /* @__PURE__ */ listCodec(positiveIntegerCodec) } },
})

/** @file Granularities as torchao writes them, in tensor metadata and in config JSON. */

import {
  integerCodec,
  jsonType,
  listCodec,
  recordCodec,
  rejectJson,
  type JsonCodec,
} from '@ao/base-tensor'
import {
  PerAxis,
  PerBlock,
  PerGroup,
  PerRow,
  PerTensor,
  PerToken,
  type Granularity,
} from './granularity.ts'

const sizeCodec: JsonCodec<number> = {
  encode: integerCodec.encode,
  decode: (json, path) =>
    Number.isSafeInteger(json) && Number(json) > 0
      ? Number(json)
      : rejectJson(path, 'a positive integer', json),
}

/** A record with the granularity's own name; its `type` is `_type` there and no field. */
type CodecOf<G extends Granularity> = JsonCodec<Omit<G, 'type'>>

const perTensor: CodecOf<PerTensor> = /* @__PURE__ */ recordCodec<object>(
  'PerTensor',
  {},
  PerTensor,
)

const perAxis: CodecOf<PerAxis> = /* @__PURE__ */ recordCodec(
  'PerAxis',
  { axis: { jsonName: 'axis', codec: integerCodec } },
  ({ axis }) => PerAxis(axis),
)

// Files of torchao before 0.15 have no `dim`: rows always ran along the last dimension.
const perRow: CodecOf<PerRow> = /* @__PURE__ */ recordCodec(
  'PerRow',
  { dim: { jsonName: 'dim', codec: integerCodec, fallback: -1 } },
  ({ dim }) => PerRow(dim),
)

const perToken: CodecOf<PerToken> = /* @__PURE__ */ recordCodec<object>('PerToken', {}, PerToken)

const perGroup: CodecOf<PerGroup> = /* @__PURE__ */ recordCodec(
  'PerGroup',
  { groupSize: { jsonName: 'group_size', codec: sizeCodec } },
  ({ groupSize }) => PerGroup(groupSize),
)

const perBlock: CodecOf<PerBlock> = /* @__PURE__ */ recordCodec(
  'PerBlock',
  { blockSize: { jsonName: 'block_size', codec: /* @__PURE__ */ listCodec(sizeCodec) } },
  ({ blockSize }) => PerBlock(blockSize),
)

const CODECS: { readonly [G in Granularity as G['type']]: CodecOf<G> } = {
  PerTensor: perTensor,
  PerAxis: perAxis,
  PerRow: perRow,
  PerToken: perToken,
  PerGroup: perGroup,
  PerBlock: perBlock,
}

/**
 * Granularities in JSON: `{"_type": "PerRow", "_data": {"dim": -1}}`, with `"_version": 1` in config
 * JSON. A `PerRow` without `dim`, as older files have it, is read as `PerRow(-1)`.
 */
export const granularityCodec: JsonCodec<Granularity> = {
  encode: (value, dialect) => codecOf(value.type).encode(value, dialect),
  decode: (json, path) => {
    const type = jsonType(json, path)
    return Object.hasOwn(CODECS, type)
      ? codecOf(type as Granularity['type']).decode(json, path)
      : rejectJson(path, `one of ${Object.keys(CODECS).join(', ')}`, type)
  },
}

// Each codec makes and takes the granularity of its name only, which a type cannot say of a lookup.
function codecOf(type: Granularity['type']): JsonCodec<Granularity> {
  return CODECS[type] as unknown as JsonCodec<Granularity>
}

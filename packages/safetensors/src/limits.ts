/** @file How much a file may ask of its reader, before any of it is believed. */

/** Bytes of a header, and of an index file; the reference implementation has the same limit. */
export const MAX_HEADER_BYTES = 100_000_000

/** Nesting of JSON. A header needs 3 levels, torchao's descriptions of tensors about 8. */
export const MAX_JSON_DEPTH = 64

/** Tensors of one file. The largest mixture-of-experts models have some 100,000 in all their shards. */
export const MAX_TENSORS = 1_000_000

/** Dimensions of one tensor: PyTorch's own limit. */
export const MAX_RANK = 64

/** @file How much a file may ask of its reader, before any of it is believed. */

/** Bytes of a header, and of an index file; the reference implementation has the same limit. */
export const MAX_HEADER_BYTES = 100_000_000

/** Nesting of JSON: that of the reference implementation, whose parser (serde_json) ends at 128. */
export const MAX_JSON_DEPTH = 127

/**
 * Tensors of one file. The largest mixture-of-experts models have some 150,000 in all their shards; more
 * than this would take seconds to check.
 */
export const MAX_TENSORS = 250_000

/** Keys of a file's metadata: torchao describes each tensor there, and a few other keys come with it. */
export const MAX_METADATA: number = MAX_TENSORS + 1000

/** Dimensions of one tensor: PyTorch's own limit. */
export const MAX_RANK = 64

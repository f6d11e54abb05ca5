/**
 * @file How much a file may ask of its reader, before any of it is believed.
 *
 * Together they bound what an open file holds in memory: 256 MiB at most, whatever its pickle says, and
 * some 300 bytes for each tensor of an honest one.
 */

/** Bytes of the pickle in a file. Those of models have 100 to 400 for each tensor. */
export const MAX_PICKLE_BYTES: number = 32 << 20

/** Instructions of a pickle: 38 make a plain tensor, some 110 a quantized one. */
export const MAX_PICKLE_STEPS = 1_500_000

/** Entries of a zip: one for each storage, and a few. */
export const MAX_ENTRIES = 150_000

/** Bytes of a zip's directory, some 70 for each entry. */
export const MAX_DIRECTORY_BYTES: number = 16 << 20

/** Tensors of a file, each part of a quantized one counted. */
export const MAX_PARTS = 100_000

/** Characters that describe quantized tensors: some 300 for each. */
export const MAX_METADATA: number = 16 << 20

/** Dimensions of one tensor: PyTorch's own limit. */
export const MAX_RANK = 64

/** Values in the attributes of one tensor, how deep they may lie in each other, and characters of a text. */
export const MAX_ATTRIBUTE_VALUES = 1000
export const MAX_ATTRIBUTE_DEPTH = 8
export const MAX_ATTRIBUTE_TEXT = 1000

/**
 * Bytes of all tensors for each byte of their file: tied tensors share theirs, and expanded ones repeat
 * theirs. A single tensor has no more bytes than its file.
 */
export const MAX_EXPANSION = 16

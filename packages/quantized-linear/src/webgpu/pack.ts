/** @file Codes of four bits as bytes, and in the words of a decoder. */

import type { DenseTensor, Tensor } from '@ao/base-tensor'
import { grid, type Defines, type GPU, type ProgramMaker } from '@ao/kernels-webgpu'
import { Bindings } from './bindings.ts'
import { weightDefines } from './decoder.ts'
import type { Int4Decoder } from './int4.ts'
import { rowRanges } from './row-ranges.ts'

/** Codes (..., n, k), of which `rows` are stored for each `n`. */
export interface CodeRows {
  readonly n: number
  readonly k: number
  /** `n` unless given. */
  readonly rows?: number
  /** More defines for the decoder. */
  readonly defines?: Defines
}

/** Words, int32 of `shape`, of codes uint8 (..., n, k); all but their low four bits are dropped. */
export function packCodes(
  gpu: GPU,
  decoder: Int4Decoder,
  codes: Tensor,
  shape: readonly number[],
  rows: CodeRows,
): DenseTensor {
  const words = gpu.empty(shape, 'int32')
  const threads = Math.ceil(rows.k / 32) * 4
  convert(gpu, decoder, decoder.pack, rows, { codes: words, bytes: codes }, threads)
  return words
}

/** Codes, uint8 of `shape`, of words. */
export function unpackCodes(
  gpu: GPU,
  decoder: Int4Decoder,
  words: Tensor,
  shape: readonly number[],
  rows: CodeRows,
): DenseTensor {
  const codes = gpu.empty(shape, 'uint8')
  convert(gpu, decoder, decoder.unpack, rows, { codes: words, bytes: codes }, rows.k / 4)
  return codes
}

/** @param threads - for each stored row */
function convert(
  gpu: GPU,
  decoder: Int4Decoder,
  program: ProgramMaker,
  rows: CodeRows,
  tensors: { readonly codes: Tensor; readonly bytes: Tensor },
  threads: number,
): void {
  const { n, k, rows: stored = n } = rows
  const bound = new Bindings(gpu, tensors)
  const defines = {
    ...weightDefines(decoder, { ...rows, groupSize: k % 32 === 0 ? 32 : k }),
    ...bound.defines,
    STORED_ROWS: stored,
  }
  const byteRows = tensors.bytes.numel / k
  for (const part of rowRanges(gpu, (byteRows / n) * stored, k / 2, k)) {
    // One part, or rows that are stored as they are, or one weight with padding at its end.
    const isPadded = part.first + part.rows > byteRows
    const bytes = isPadded ? { first: part.first, rows: byteRows - part.first } : part
    gpu.dispatch(program(defines), {
      bind: bound.bind({ codes: { ...part, bytes: k / 2 }, bytes: { ...bytes, bytes: k } }),
      params: [part.first, part.rows, bytes.rows, 0],
      workgroups: grid(Math.ceil((part.rows * threads) / 64)),
    })
  }
}

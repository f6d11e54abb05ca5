/** @file Codes as bytes, and in the words of a layout. */

import type { DenseTensor, Tensor } from '@ao/base-tensor'
import { grid, type Defines, type GPU, type ProgramMaker } from '@ao/kernels-webgpu'
import { Bindings, rangeOf, rowRanges } from './bindings.ts'
import { weightDefines, type Int4Programs } from './layout.ts'

/** Codes (..., n, k), of which `rows` are stored for each `n`. */
export interface CodeRows {
  readonly n: number
  readonly k: number
  /** `n` unless given. */
  readonly rows?: number
  readonly isSigned?: boolean
  /** More defines for the layout. */
  readonly defines?: Defines
}

/** Words, int32 of `shape`, of codes uint8 (..., n, k); all but their low four bits are dropped. */
export function packCodes(
  gpu: GPU,
  programs: Int4Programs,
  codes: Tensor,
  shape: readonly number[],
  rows: CodeRows,
): DenseTensor {
  const words = gpu.empty(shape, 'int32')
  const threads = Math.ceil(rows.k / 32) * 4
  convert(gpu, programs, programs.pack, rows, gpu.dense(codes), words, threads)
  return words
}

/** Codes, uint8 of `shape`, of words. */
export function unpackCodes(
  gpu: GPU,
  programs: Int4Programs,
  words: Tensor,
  shape: readonly number[],
  rows: CodeRows,
): DenseTensor {
  const codes = gpu.empty(shape, 'uint8')
  convert(gpu, programs, programs.unpack, rows, codes, gpu.dense(words), rows.k / 4)
  return codes
}

/** @param threads - for each stored row */
function convert(
  gpu: GPU,
  programs: Int4Programs,
  program: ProgramMaker,
  rows: CodeRows,
  bytes: DenseTensor,
  words: DenseTensor,
  threads: number,
): void {
  const { n, k, rows: stored = n } = rows
  const bindings = new Bindings().add('codes', words).add('bytes', bytes)
  const defines = {
    ...weightDefines(programs, { ...rows, groupSize: k % 32 === 0 ? 32 : k }),
    ...bindings.defines,
    STORED_ROWS: stored,
  }
  const all = (bytes.numel / (n * k)) * stored
  for (const part of rowRanges(gpu, all, [k / 2, k])) {
    // One part, or rows that are stored as they are, or one weight with padding at its end.
    const isAll = part.rows === all
    const byteRows = isAll ? bytes.numel / k : Math.min(part.rows, bytes.numel / k - part.first)
    gpu.dispatch(program(defines), {
      bind: bindings.bind({
        codes: rangeOf(words, part, k / 2),
        bytes: rangeOf(bytes, { first: part.first, rows: byteRows }, k),
      }),
      params: [part.first, part.rows, byteRows, 0],
      workgroups: grid(Math.ceil((part.rows * threads) / 64)),
    })
  }
}

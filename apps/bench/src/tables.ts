/** @file Results as tables in Markdown. */

import type { AccuracyResult } from './accuracy.ts'
import type { LinearResult } from './linears.ts'
import type { ModelResult } from './models.ts'

export function linearTable(results: readonly LinearResult[]): string {
  return table(
    [
      'format',
      'M',
      'K x N',
      'group',
      'kernel',
      'us',
      'GB/s',
      'TFLOP/s',
      'of copy',
      'onnxruntime us',
      'ratio',
    ],
    results.map((row) => [
      row.format,
      String(row.m),
      `${row.k} x ${row.n}`,
      row.groupSize === undefined ? '' : String(row.groupSize),
      row.variant,
      row.microseconds.toFixed(1),
      row.gigabytesPerSecond.toFixed(0),
      row.teraflops.toFixed(1),
      percent(row.shareOfCopy),
      row.onnxruntime?.toFixed(1) ?? '',
      row.onnxruntime === undefined ? '' : (row.onnxruntime / row.microseconds).toFixed(2),
    ]),
  )
}

export function modelTable(results: readonly ModelResult[]): string {
  const prompts = Object.keys(results[0]?.firstTokenMilliseconds ?? {})
  return table(
    [
      ...[
        'model',
        'format',
        'MB read a token',
        'tokens/s',
        'ms a token',
        'floor ms',
        'GPU ms',
        'not kernels',
      ],
      ...['dispatches', ...prompts.map((prompt) => `first token of ${prompt}, ms`)],
    ],
    results.map((row) => [
      row.model,
      row.format,
      (row.weightBytes / 1e6).toFixed(0),
      row.tokensPerSecond.toFixed(1),
      row.decodeMilliseconds.toFixed(2),
      row.floorMilliseconds.toFixed(2),
      row.gpuMilliseconds.toFixed(2),
      percent(row.overheadShare),
      String(row.dispatches),
      ...Object.values(row.firstTokenMilliseconds).map((ms) => ms.toFixed(1)),
    ]),
  )
}

export function accuracyTable(results: readonly AccuracyResult[]): string {
  return table(
    ['format', 'dtype', 'M', 'K', 'inputs up to', 'kernel', 'NMSE'],
    results.map(({ format, dtype, m, k, magnitude, variant, nmse }) => [
      ...[format, dtype, String(m), String(k), String(magnitude), variant, nmse.toExponential(1)],
    ]),
  )
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

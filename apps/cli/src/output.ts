/** @file Numbers and tables as people read them, and JSON. */

import Table from 'cli-table3'

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Bytes with three digits, in powers of 1000: `7.34 MB`. */
export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`
}

/** A share of one as percent: `12.3 %`. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** Decibels; infinite ones say what they mean. */
export function formatDb(db: number): string {
  if (db === Infinity) return 'equal'
  return db === -Infinity ? 'not finite' : `${db.toFixed(1)} dB`
}

/** `[256, 768]` */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}

/** `1 tensor`, `2 tensors` */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A column's heading; columns of numbers are flush right. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
}

/** Rows under headings, without rulers, so that `grep`, `sort` and `awk` work on them. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const table = new Table({
    head: columns.map((column) => column.title),
    colAligns: columns.map((column) => column.align ?? 'left'),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  })
  table.push(...rows.map((row) => [...row]))
  const lines = table.toString().split('\n')
  return lines.map((line) => line.trimEnd()).join('\n')
}

/** One JSON document. Infinite numbers and NaN become null. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, null, 2)
}

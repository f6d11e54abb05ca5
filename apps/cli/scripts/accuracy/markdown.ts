/** @file A table within a Markdown page, behind a comment. */

const MARKER = '<!-- npm run accuracy -->'

/** A Markdown table, laid out as prettier lays it out. */
export function markdownTable(columns: readonly string[], rows: readonly string[][]): string {
  const widths = columns.map((title, c) =>
    Math.max(3, ...[columns, ...rows].map((row) => (row[c] ?? title).length)),
  )
  const line = (cells: readonly string[], fill = ' '): string =>
    `| ${widths.map((width, c) => (cells[c] ?? '').padEnd(width, fill)).join(' | ')} |`
  return [line(columns), line([], '-'), ...rows.map((row) => line(row))].join('\n')
}

/**
 * `page` with `table` in the place of the one behind its comment.
 *
 * @throws Error where it does not have one
 */
export function withTable(page: string, table: string): string {
  const begin = page.indexOf(`${MARKER}\n\n|`)
  if (begin < 0) throw new Error(`Expected ${MARKER}, an empty line and a table.`)
  const start = begin + MARKER.length + 2
  const end = page.indexOf('\n\n', start)
  return page.slice(0, start) + table + (end < 0 ? '\n' : page.slice(end))
}

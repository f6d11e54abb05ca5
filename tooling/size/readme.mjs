/** @file The table of sizes in README.md, which is written from what was measured. */
import { readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'

const FILE = 'README.md'
const TABLE = /(?<=<!-- sizes -->\n).*?(?=<!-- \/sizes -->)/s

/** Whether README.md says of each fixture that has a `label` what was measured. */
export function isCurrent(rows) {
  const words = (text) => text?.replace(/[\s-]+/g, ' ').trim()
  return words(TABLE.exec(readFileSync(FILE, 'utf8'))?.[0]) === words(sizeTable(rows))
}

/** Puts the sizes in README.md between its markers. */
export async function writeTable(rows) {
  const text = readFileSync(FILE, 'utf8').replace(TABLE, `\n${sizeTable(rows)}\n`)
  writeFileSync(FILE, await format(text, { ...(await resolveConfig(FILE)), filepath: FILE }))
}

function sizeTable(rows) {
  const shown = rows.filter(({ label }) => label !== undefined)
  const lines = shown.map(({ label, bytes }) => `| ${label} | ${(bytes / 1000).toFixed(1)} kB |`)
  return ['| what a page imports | size |', '| --- | --- |', ...lines].join('\n')
}

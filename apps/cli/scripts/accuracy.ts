/**
 * @file Measures what each format loses and takes, and writes it into the tables of their READMEs. Numbers
 * are the same in every run, so a table that changes shows a change of the format.
 *
 *     npm run accuracy [-- int8 ...]
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { markdownTable, withTable } from './accuracy/markdown.ts'
import { normalWeights, trainedWeights } from './accuracy/measure.ts'
import { TABLES } from './accuracy/tables.ts'

const corpora = { normal: normalWeights(), trained: await trainedWeights() }
const wanted = process.argv.slice(2)
for (const { folder, columns, rows } of TABLES) {
  if (wanted.length > 0 && !wanted.includes(folder)) continue
  const path = new URL(`../../../packages/${folder}/README.md`, import.meta.url)
  const before = readFileSync(path, 'utf8')
  const table = markdownTable(columns, rows(corpora))
  const after = withTable(before, table)
  writeFileSync(path, after)
  console.log(`packages/${folder}/README.md${after === before ? ', unchanged' : ''}\n${table}\n`)
}

/**
 * @file Bundles each size fixture from the built packages and compares it with its ceiling, and the sizes
 * with those in README.md. With `--write`, the README's are brought up to date instead.
 */
import { report } from '../checks/workspace.mjs'
import { fixtures } from './fixtures.mjs'
import { measure } from './measure.mjs'
import { isCurrent, writeTable } from './readme.mjs'

const problems = []
const rows = []

for (const fixture of fixtures) {
  const { text, bytes, packages, errors } = await measure(fixture.code)
  const strangers = packages.filter((name) => !fixture.packages.includes(name))
  const unwanted = fixture.mustNotAppear.filter((word) => text.includes(word))
  const found = [
    ...errors,
    ...(bytes > fixture.maxBytes ? [`${bytes} bytes, ${fixture.maxBytes} at most`] : []),
    ...strangers.map((name) => `has code of ${name}`),
    ...unwanted.map((word) => `has the text ${word}`),
  ]
  rows.push({ ...fixture, bytes })
  problems.push(...found.map((problem) => `${fixture.name}: ${problem}`))
}
console.table(
  rows.map(({ name, bytes, maxBytes }) => ({
    fixture: name,
    'gzip bytes': bytes,
    ceiling: maxBytes,
  })),
)
if (process.argv.includes('--write')) await writeTable(rows)
else if (!isCurrent(rows)) {
  problems.push('README.md has other sizes: npm run check:size -- --write')
}
report(problems, 'Every bundle is within its ceiling.')

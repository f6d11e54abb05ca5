/** @file Bundles each size fixture from the built packages and compares it with its ceiling. */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { emptyProject, report } from '../checks/workspace.mjs'
import { fixtures } from './fixtures.mjs'

const folder = emptyProject('size')
const problems = []
const rows = []

for (const fixture of fixtures) {
  const { text, packages } = await bundle(fixture.code)
  const bytes = gzipSync(text, { level: 9 }).length
  rows.push({ fixture: fixture.name, 'gzip bytes': bytes, ceiling: fixture.maxBytes })
  const over = bytes > fixture.maxBytes
  const strangers = packages.filter((name) => !fixture.packages.includes(name))
  const unwanted = fixture.mustNotAppear.filter((word) => text.includes(word))
  if (over) problems.push(`${fixture.name}: ${bytes} bytes, ${fixture.maxBytes} at most`)
  for (const name of strangers) problems.push(`${fixture.name}: has code of ${name}`)
  for (const word of unwanted) problems.push(`${fixture.name}: has the text ${word}`)
}
console.table(rows)
report(problems, 'Every bundle is within its ceiling.')

/** The minified bundle, and the names of the packages whose code is in it. */
async function bundle(code) {
  const result = await build({
    stdin: { contents: code, resolveDir: folder },
    ...{ bundle: true, minify: true, write: false, metafile: true, logLevel: 'silent' },
    ...{ format: 'esm', platform: 'browser', target: 'es2022' },
  })
  const [output] = Object.values(result.metafile.outputs)
  const used = Object.keys(output.inputs).filter((file) => output.inputs[file].bytesInOutput > 0)
  const names = used.flatMap((file) => packageName(file) ?? [])
  return { text: result.outputFiles[0].text, packages: [...new Set(names)] }
}

/** `int8` for packages/int8/dist/index.js, `fflate` for node_modules/fflate/index.js. */
function packageName(file) {
  const own = /(?:^|\/)packages\/([^/]+)\/dist\//.exec(file)
  const installed = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)
  return (own ?? installed)?.[1]
}

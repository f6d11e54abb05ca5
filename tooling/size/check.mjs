/** @file Bundles each size fixture from the built packages and compares it with its ceiling. */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { emptyProject, report } from '../checks/workspace.mjs'
import { fixtures } from './fixtures.mjs'

const folder = emptyProject('size')
const problems = []
const rows = []

for (const fixture of fixtures) {
  const { text, packages, errors } = await bundle(fixture.code)
  const bytes = gzipSync(text, { level: 9 }).length
  const strangers = packages.filter((name) => !fixture.packages.includes(name))
  const unwanted = fixture.mustNotAppear.filter((word) => text.includes(word))
  const found = [
    ...errors,
    ...(bytes > fixture.maxBytes ? [`${bytes} bytes, ${fixture.maxBytes} at most`] : []),
    ...strangers.map((name) => `has code of ${name}`),
    ...unwanted.map((word) => `has the text ${word}`),
  ]
  rows.push({ fixture: fixture.name, 'gzip bytes': bytes, ceiling: fixture.maxBytes })
  problems.push(...found.map((problem) => `${fixture.name}: ${problem}`))
}
console.table(rows)
report(problems, 'Every bundle is within its ceiling.')

/** The minified bundle and the names of the packages whose code is in it, or what went wrong. */
async function bundle(code) {
  const options = {
    ...{ stdin: { contents: code, resolveDir: folder }, bundle: true, minify: true },
    ...{ format: 'esm', platform: 'browser', target: 'es2022' },
    ...{ write: false, metafile: true, logLevel: 'silent' },
  }
  try {
    const { metafile, outputFiles } = await build(options)
    const inputs = Object.entries(Object.values(metafile.outputs)[0].inputs)
    const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    const packages = new Set(used.flatMap(([file]) => packageName(file) ?? []))
    return { text: outputFiles[0].text, packages: [...packages], errors: [] }
  } catch (error) {
    return { text: '', packages: [], errors: [error.message] }
  }
}

/** `int8` for packages/int8/dist/index.js, `fflate` for node_modules/fflate/index.js. */
function packageName(file) {
  const own = /(?:^|\/)packages\/([^/]+)\/dist\//.exec(file)
  const installed = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)
  return (own ?? installed)?.[1]
}

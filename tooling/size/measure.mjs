/** @file What a fixture becomes in a user's bundle. */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { emptyProject } from '../checks/workspace.mjs'

const folder = emptyProject('size')

/**
 * The minified bundle of `code`, its gzipped bytes and the names of the packages whose code is in it, or
 * what went wrong.
 */
export async function measure(code) {
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
    const { text } = outputFiles[0]
    const bytes = gzipSync(text, { level: 9 }).length
    return { text, bytes, packages: [...packages], errors: [] }
  } catch (error) {
    return { text: '', bytes: 0, packages: [], errors: [error.message] }
  }
}

/** `int8` for packages/int8/dist/index.js, `fflate` for node_modules/fflate/index.js. */
function packageName(file) {
  const own = /(?:^|\/)packages\/([^/]+)\/dist\//.exec(file)
  const installed = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)
  return (own ?? installed)?.[1]
}

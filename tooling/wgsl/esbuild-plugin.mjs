/** @file Lets esbuild, and so tsup, bundle `.wgsl` files as text. */
import { readFile } from 'node:fs/promises'
import { wgslText } from './text.mjs'

export function wgslEsbuildPlugin() {
  return {
    name: 'ao-wgsl',
    setup(build) {
      build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
        contents: wgslText(await readFile(path, 'utf8')),
        loader: 'text',
      }))
    },
  }
}

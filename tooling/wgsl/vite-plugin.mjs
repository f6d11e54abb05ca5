/** @file Lets vite, and so vitest, import `.wgsl` files as text. */
import { readFile } from 'node:fs/promises'
import { wgslModule } from './text.mjs'

export function wgslVitePlugin() {
  return {
    name: 'ao-wgsl',
    enforce: 'pre',
    async load(id) {
      if (!id.endsWith('.wgsl')) return undefined
      this.addWatchFile(id)
      return { code: wgslModule(await readFile(id, 'utf8')), moduleType: 'js', map: null }
    },
  }
}

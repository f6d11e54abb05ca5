/**
 * @file How every package is built. This is the one place that names the bundler, so that changing
 * it means changing this file.
 */
import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'
import { wgslEsbuildPlugin } from '../wgsl/esbuild-plugin.mjs'

/**
 * The build of the package in the current folder. What package.json offers says what is built: each
 * `./dist/<name>.js` of its `exports` (with types) and of its `bin` comes from `./src/<name>.ts`.
 */
export function aoPackage() {
  const { exports = {}, bin = {} } = JSON.parse(readFileSync('package.json', 'utf8'))
  const library = entries(Object.values(exports).flatMap((target) => target.default ?? []))
  return defineConfig({
    entry: { ...library, ...entries(Object.values(bin)) },
    format: ['esm'],
    platform: 'neutral',
    external: [/^node:/],
    removeNodeProtocol: false,
    target: 'es2022',
    esbuildPlugins: [wgslEsbuildPlugin()],
    dts: Object.keys(library).length > 0 && { entry: library },
    sourcemap: true,
    treeshake: true,
    clean: true,
    silent: true,
  })
}

function entries(files) {
  const names = files.map((file) => file.replace(/^\.\/dist\/(.*)\.js$/, '$1'))
  return Object.fromEntries(names.map((name) => [name, `src/${name}.ts`]))
}

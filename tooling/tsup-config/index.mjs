/**
 * @file How every package is built. This is the one place that names the bundler, so that changing
 * it means changing this file.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { defineConfig } from 'tsup'
import { wgslEsbuildPlugin } from '../wgsl/esbuild-plugin.mjs'

/**
 * The build of the package in the current folder. What package.json offers says what has types: each
 * `./dist/<name>.js` of its `exports` comes from `./src/<name>.ts`. Modules stay modules, so that a user's
 * bundler can leave out those that nothing needs, whatever they do when they are loaded.
 */
export function aoPackage() {
  const { exports = {} } = JSON.parse(readFileSync('package.json', 'utf8'))
  const library = entries(Object.values(exports).flatMap((target) => target.default ?? []))
  return defineConfig({
    entry: modules(),
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

/** Every module of the sources, by its path without extension. */
function modules() {
  const files = readdirSync('src', { recursive: true }).map((file) =>
    String(file).replaceAll('\\', '/'),
  )
  const names = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  return Object.fromEntries(names.map((name) => [name.slice(0, -3), `src/${name}`]))
}

function entries(files) {
  const names = files.map((file) => file.replace(/^\.\/dist\/(.*)\.js$/, '$1'))
  return Object.fromEntries(names.map((name) => [name, `src/${name}.ts`]))
}

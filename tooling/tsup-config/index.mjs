/**
 * @file How every package is built. This is the one place that names the bundler, so that changing
 * it means changing this file.
 */
import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

/**
 * The build of the package in the current folder: each entry of its `exports` that names a source
 * (condition `@ao/source`) becomes `dist/<name>.js` with types and a source map.
 */
export function aoPackage() {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
  const entries = Object.values(exports).filter((target) => '@ao/source' in Object(target))
  return defineConfig({
    entry: Object.fromEntries(
      entries.map((target) => [
        target.default.replace(/^\.\/dist\/(.*)\.js$/, '$1'),
        target['@ao/source'],
      ]),
    ),
    format: ['esm'],
    platform: 'neutral',
    external: [/^node:/],
    removeNodeProtocol: false,
    target: 'es2022',
    dts: true,
    sourcemap: true,
    treeshake: true,
    clean: true,
    silent: true,
  })
}

/**
 * @file Packs the benchmarks for a Linux x64 machine that has a GPU and neither Node nor a network:
 *
 *     npm run bench:portable        writes apps/bench/dist/bench.tar.xz (about 40 MB)
 *     tar xf bench.tar.xz && bench/run --json results.json
 *
 * In it: one bundle of our code, Node itself, Dawn, and ONNX Runtime. The machine needs a Vulkan driver and
 * loader (libvulkan.so.1).
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { wgslEsbuildPlugin } from '../../../tooling/wgsl/esbuild-plugin.mjs'

const app = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(app, 'dist', 'bench')
const require = createRequire(join(app, 'package.json'))

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
await build({
  entryPoints: [join(app, 'src/main.ts')],
  outfile: join(out, 'bench.mjs'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@ao/source'],
  external: ['webgpu', 'onnxruntime-node'],
  plugins: [wgslEsbuildPlugin()],
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  logLevel: 'warning',
})

copyPackage('webgpu', ['index.js', 'package.json', 'dist/linux-x64'])
const runtime = ['dist', 'package.json', 'bin/napi-v6/linux/x64']
const onnxruntime = copyPackage('onnxruntime-node', runtime)
copyPackage(
  'onnxruntime-common',
  ['dist', 'package.json'],
  createRequire(join(onnxruntime, 'package.json')),
)
cpSync(process.execPath, join(out, 'node'), { dereference: true })
try {
  execFileSync('strip', [join(out, 'node')])
} catch {
  console.warn('strip was not found: the archive is larger than it could be.')
}
const run = '#!/bin/sh\ncd "$(dirname "$0")" && exec ./node bench.mjs "$@"\n'
writeFileSync(join(out, 'run'), run)
chmodSync(join(out, 'run'), 0o755)

const archive = join(app, 'dist', 'bench.tar.xz')
execFileSync('tar', ['cJf', archive, '-C', dirname(out), 'bench'], {
  env: { ...process.env, XZ_OPT: '-6 -T0' },
})
console.log(`${archive}: ${(statSync(archive).size / 1e6).toFixed(1)} MB`)

/** Copies parts of an installed package into the bundle's node_modules; returns where it is installed. */
function copyPackage(name, parts, resolver = require) {
  const entry = resolver.resolve(name)
  const root = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`)) + `node_modules/${name}`
  for (const part of parts) {
    const to = join(out, 'node_modules', name, part)
    cpSync(join(root, part), to, { recursive: true, dereference: true })
  }
  return root
}

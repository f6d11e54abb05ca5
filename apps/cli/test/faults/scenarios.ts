/** @file Small models, and which of them is written over which. */

import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { bfloat16, digests, writeRaw } from '../checkpoints.ts'
import { ao } from '../run-cli.ts'

/** A model of three layers in `count` files; `seed` changes its numbers. */
function makeModel(folder: string, count: number, seed: number): string {
  mkdirSync(folder)
  const config = { model_type: 'test', hidden_size: 32, seed }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, seed % 2 === 0 ? 'even.txt' : 'odd.txt'), String(seed))
  const names = [0, 1, 2].map((i) => `model.layers.${i}.mlp.up_proj.weight`)
  const weight = bfloat16([8, 32], (i) => 0x3f80 + ((seed * 7 + i) % 64))
  const index: Record<string, string> = {}
  for (let shard = 0; shard < count; shard++) {
    const fileName =
      count === 1 ? 'model.safetensors' : `model-0000${shard + 1}-of-0000${count}.safetensors`
    const own = names.filter((_, i) => Math.floor((i * count) / 3) === shard)
    for (const name of own) index[name] = fileName
    writeRaw(
      join(folder, fileName),
      own.map((name) => [name, weight] as const),
    )
  }
  const text = JSON.stringify({ metadata: { total_size: 1536 }, weight_map: index })
  if (count > 1) writeFileSync(join(folder, 'model.safetensors.index.json'), text)
  return folder
}

/** Files of the older and the newer result; 0 for an older one that is not there. */
export const SCENARIOS: readonly (readonly [older: number, newer: number])[] = [
  [2, 2],
  [2, 3],
  [3, 2],
  [1, 3],
  [3, 1],
  [1, 1],
  [0, 2],
]

export interface Scenario {
  /** Arguments that write the newer result into a folder. */
  argv(out: string): string[]
  /** A new folder with the older result. */
  prepare(): string
  /** Which one a folder holds; otherwise what readers say about it. */
  state(out: string): Promise<'older' | 'newer' | Error>
}

export async function makeScenario(root: string, older: number, newer: number): Promise<Scenario> {
  const folder = mkdtempSync(join(root, 'scenario-'))
  const argv = (model: string, config: string, out: string): string[] => [
    ...['quantize', model, '--config', config, '--out', out],
  ]
  const before = join(folder, 'before')
  const after = join(folder, 'after')
  if (older > 0) await run(argv(makeModel(join(folder, 'a'), older, 1), 'int8', before))
  else mkdirSync(before)
  const model = makeModel(join(folder, 'b'), newer, 2)
  await run(argv(model, 'int8-dynamic', after))
  let count = 0
  return {
    argv: (out) => argv(model, 'int8-dynamic', out),
    prepare: () => {
      const out = join(folder, `out-${count++}`)
      if (older > 0) cpSync(before, out, { recursive: true })
      return out
    },
    async state(out) {
      const readable = await openCheckpoint(directory(out)).then(
        (checkpoint) => checkpoint.close(),
        (error: Error) => error,
      )
      if (readable) return readable
      const found = visible(out)
      if (found === visible(before)) return 'older'
      if (found === visible(after)) return 'newer'
      throw new Error(`A mix that readers take: ${readdirSync(out).join(', ')}`)
    },
  }
}

/** Digests of a folder's files but those that `ao` has there for a while. */
function visible(folder: string): string {
  const all = digests(folder, (name) => !name.startsWith('.ao-'))
  return JSON.stringify(Object.entries(all).sort())
}

/** A folder for many small files that are flushed to disk: in memory, where the system has such a place. */
export function scratchFolder(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'ao-faults-'))
}

export async function run(argv: readonly string[]): Promise<void> {
  const { code, stderr } = await ao(argv)
  if (code !== 0) throw new Error(`ao ${argv.join(' ')} ended with ${code}: ${stderr}`)
}

/** `ao` in one file, which starts faster than from source; gives its path. */
export async function bundleAo(root: string): Promise<string> {
  const require = createRequire(new URL('../../../../package.json', import.meta.url))
  const { build } = require('esbuild') as { build(options: object): Promise<unknown> }
  const { wgslEsbuildPlugin } = await import(
    '../../../../tooling/wgsl/esbuild-plugin.mjs' as string
  )
  mkdirSync(join(root, 'dist'))
  writeFileSync(join(root, 'package.json'), '{"version": "0.0.0", "type": "module"}')
  const outfile = join(root, 'dist', 'main.js')
  await build({
    entryPoints: [fileURLToPath(new URL('../../src/main.ts', import.meta.url))],
    ...{ outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
    ...{ conditions: ['@ao/source'], external: ['webgpu'], plugins: [wgslEsbuildPlugin()] },
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
    },
  })
  return outfile
}

const HOOK = new URL('./hook.mjs', import.meta.url).href

/** Runs a bundled `ao` with the hook; gives the signal that ended it, or its exit code. */
export function runHooked(
  main: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(process.execPath, ['--import', HOOK, main, ...argv], {
    ...{ env: { ...process.env, ...env }, stdio: 'ignore' },
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(signal ?? String(code)))
  })
}

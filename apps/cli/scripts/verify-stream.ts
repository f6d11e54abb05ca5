/**
 * @file Quantizes a made-up checkpoint of 2 GB and checks that memory stays near one tensor.
 *
 * Writes bfloat16 weights of the shapes of Llama layers to a temporary folder, runs `ao quantize` on them
 * in a process of its own, and prints that process's peak memory and its speed.
 */

import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { main } from '../src/cli.ts'

const HIDDEN = 4096
const FFN = 11_008
const LAYERS = 5
const SHAPES: Readonly<Record<string, readonly [rows: number, columns: number]>> = {
  'self_attn.q_proj': [HIDDEN, HIDDEN],
  'self_attn.k_proj': [HIDDEN, HIDDEN],
  'self_attn.v_proj': [HIDDEN, HIDDEN],
  'self_attn.o_proj': [HIDDEN, HIDDEN],
  'mlp.gate_proj': [FFN, HIDDEN],
  'mlp.up_proj': [FFN, HIDDEN],
  'mlp.down_proj': [HIDDEN, FFN],
}
const LARGEST = 2 * FFN * HIDDEN

const MAX_PEAK = 300e6 + 2 * LARGEST
/** In bytes of input for each second of one core. */
const MIN_RATE = 100e6

/** What the process that quantizes says of itself. */
interface Usage {
  readonly code: number
  /** In bytes. */
  readonly peak: number
  /** In seconds, of all threads. */
  readonly cpu: number
  readonly wall: number
}

if (process.argv[2] === 'quantize') await quantize(process.argv.slice(2))
else check()

/** The child: runs `ao` and prints its {@link Usage}. */
async function quantize(argv: readonly string[]): Promise<void> {
  const before = process.resourceUsage()
  const start = performance.now()
  const silent = { write: () => undefined }
  const { signal } = new AbortController()
  const code = await main(argv, { stdout: silent, stderr: process.stderr, signal })
  const after = process.resourceUsage()
  const microseconds =
    after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime
  const wall = (performance.now() - start) / 1000
  const usage: Usage = { code, peak: after.maxRSS * 1024, cpu: microseconds / 1e6, wall }
  console.log(JSON.stringify(usage))
}

function check(): void {
  const folder = mkdtempSync(join(tmpdir(), 'ao-stream-'))
  try {
    const input = join(folder, 'input.safetensors')
    const bytes = writeCheckpoint(input)
    const usage = runChild(input, join(folder, 'out'))
    const rate = bytes / usage.cpu
    const megabytes = (value: number): string => `${Math.round(value / 1e6)} MB`
    console.log(`input          ${megabytes(bytes)}, largest tensor ${megabytes(LARGEST)}`)
    console.log(`peak memory    ${megabytes(usage.peak)} (at most ${megabytes(MAX_PEAK)})`)
    console.log(`speed          ${megabytes(rate)}/s per core (at least ${megabytes(MIN_RATE)}/s)`)
    console.log(`elapsed        ${usage.wall.toFixed(1)} s, ${megabytes(bytes / usage.wall)}/s`)
    if (usage.code !== 0 || usage.peak > MAX_PEAK || rate < MIN_RATE) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runChild(input: string, out: string): Usage {
  const script = fileURLToPath(import.meta.url)
  const argv = [script, 'quantize', input, '--config', 'int8', '--out', out]
  const child = spawnSync(process.execPath, [...process.execArgv, ...argv], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.status !== 0) throw new Error(`The child ended with ${child.status}.`)
  return JSON.parse(child.stdout) as Usage
}

/** Writes the checkpoint and returns the bytes of its tensors. */
function writeCheckpoint(path: string): number {
  const header: Record<string, unknown> = {}
  let size = 0
  const shapes: (readonly [number, number])[] = []
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const [module, shape] of Object.entries(SHAPES)) {
      const end = size + 2 * shape[0] * shape[1]
      const name = `model.layers.${layer}.${module}.weight`
      header[name] = { dtype: 'BF16', shape, data_offsets: [size, end] }
      size = end
      shapes.push(shape)
    }
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const file = openSync(path, 'w')
  writeSync(file, Buffer.concat([length, json]))
  for (const [i, [rows, columns]] of shapes.entries()) {
    writeFully(file, new Uint8Array(randomBits(rows * columns, i + 1).buffer))
  }
  closeSync(file)
  return size
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
}

/** Random bfloat16 numbers, of both signs and magnitudes from 2^-7 to 2. */
function randomBits(length: number, seed: number): Uint16Array {
  const bits = new Uint16Array(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    // xorshift
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bits[i] = (state & 0x83ff) | 0x3c00
  }
  return bits
}

/** @file Runs `ao` within the test's process, and as a process of its own. */

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { main } from '../src/cli.ts'

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `ao` in this process. */
export async function ao(
  argv: readonly string[],
  options: {
    readonly signal?: AbortSignal
    readonly isTTY?: boolean
    /** What is piped in. */
    readonly stdin?: readonly string[]
    readonly onStderr?: (text: string) => unknown
  } = {},
): Promise<CliResult> {
  let stdout = ''
  let stderr = ''
  const { signal = new AbortController().signal, isTTY = false } = options
  const code = await main(argv, {
    stdout: { write: (text) => (stdout += text), isTTY },
    stderr: {
      write: (text) => {
        stderr += text
        options.onStderr?.(text)
      },
      isTTY,
    },
    signal,
    ...(options.stdin && { stdin: piped(options.stdin) }),
  })
  return { code, stdout, stderr }
}

async function* piped(pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces
}

/** Runs `ao` with `--json`, expects success, and gives the document. */
export async function aoJson(argv: readonly string[]): Promise<any> {
  const { code, stdout, stderr } = await ao([...argv, '--json'])
  if (code !== 0) throw new Error(`ao ${argv.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const WGSL = new URL('../../../tooling/wgsl/register.mjs', import.meta.url).href

/** A running `ao`. */
export interface RunningAo {
  readonly process: ChildProcessByStdio<null, Readable, Readable>
  readonly result: Promise<CliResult>
}

/** Starts `ao` as a process, from source. */
export function startAo(argv: readonly string[]): RunningAo {
  const flags = ['--conditions=@ao/source', '--import', 'tsx', '--import', WGSL]
  const child = spawn(process.execPath, [...flags, MAIN, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => (stdout += String(data)))
  child.stderr.on('data', (data) => (stderr += String(data)))
  const result = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { process: child, result }
}

/** Runs `ao` as a process, to its end. */
export function aoProcess(argv: readonly string[]): Promise<CliResult> {
  return startAo(argv).result
}

/** A new empty folder that goes away with the test. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'ao-cli-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

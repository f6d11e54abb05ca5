/** @file Runs the walk over packages in a process of its own, and watches it. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const ROOT = resolve(import.meta.dirname, '../../../..')
/** A call that takes longer, on a busy machine too, does not end. */
const NO_PROGRESS_MS = 30_000

/** What a walk found. */
export interface Walked {
  /** Functions and classes that were called. */
  readonly functions: number
  readonly calls: number
  /** Errors that are not ours, and calls that did not end. */
  readonly found: readonly string[]
}

/** Calls what `packages` export with wrong arguments. */
export async function walkPackages(packages: readonly string[]): Promise<Walked> {
  const folder = mkdtempSync(join(tmpdir(), 'ao-wrong-arguments-'))
  const status = join(folder, 'call')
  const imports = [
    import.meta.resolve('tsx'),
    pathToFileURL(join(ROOT, 'tooling/wgsl/register.mjs')).href,
  ]
  const args = [
    '--conditions=@ao/source',
    ...imports.map((url) => `--import=${url}`),
    join(import.meta.dirname, 'walk.ts'),
    status,
    ...packages,
  ]
  // In a folder that may be written to: some function may take `x` for a path.
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text))
  }
  let last = ''
  const lastCall = (): string => {
    try {
      return readFileSync(status, 'utf8').trim()
    } catch {
      return ''
    }
  }
  const watchdog = setInterval(() => {
    const now = lastCall()
    if (now === last) child.kill('SIGKILL')
    last = now
  }, NO_PROGRESS_MS)
  try {
    const code = await new Promise<number | null>((done) => child.on('close', done))
    if (code === 0 && output.stdout.endsWith('}')) return JSON.parse(output.stdout) as Walked
    const how = code === null ? 'does not end' : `ends the process with ${code}`
    return { functions: 0, calls: 0, found: [`${lastCall()} ${how} ${output.stderr.slice(-2000)}`] }
  } finally {
    clearInterval(watchdog)
    rmSync(folder, { recursive: true, force: true })
  }
}

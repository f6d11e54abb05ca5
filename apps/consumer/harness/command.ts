/** @file Commands: run with a time limit, told apart by what they print, stopped with the run. */
import { spawn, type ChildProcess } from 'node:child_process'
import { basename } from 'node:path'

const TIME_LIMIT_MS = 180_000
const SHOWN_LINES = 40
const running = new Set<ChildProcess>()

/** A command that failed, with what it printed: all of it in `output`, of much the ends in `message`. */
export class CommandError extends Error {
  readonly output: string

  constructor(command: string, folder: string, outcome: string, output: string) {
    super(`$ ${command}\n  in ${folder}: ${outcome}\n${shortened(output.trimEnd())}`)
    this.output = output
  }
}

function shortened(output: string): string {
  const lines = output.split('\n')
  const left = lines.length - 2 * SHOWN_LINES
  if (left <= 1) return output
  const ends = [lines.slice(0, SHOWN_LINES), `... ${left} lines ...`, lines.slice(-SHOWN_LINES)]
  return ends.flat().join('\n')
}

/**
 * Runs a command and gives what it printed on its standard output.
 *
 * @throws {@link CommandError} when it fails or takes too long
 */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly folder: string; readonly env: NodeJS.ProcessEnv },
): Promise<string> {
  const { folder, env } = options
  const child = spawn(command, args, {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it starts can be stopped with it.
    detached: process.platform !== 'win32',
    shell: process.platform === 'win32',
  })
  running.add(child)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const timer = setTimeout(() => stop(child), TIME_LIMIT_MS)
  return new Promise((resolve, reject) => {
    const end = (outcome: string | undefined): void => {
      clearTimeout(timer)
      running.delete(child)
      const shown = [basename(command), ...args].join(' ')
      if (outcome === undefined) resolve(stdout)
      else reject(new CommandError(shown, folder, outcome, `${stdout}${stderr}`))
    }
    child.on('error', (error) => end(error.message))
    child.on('close', (code, signal) => end(code === 0 ? undefined : `exit ${signal ?? code}`))
  })
}

/** Stops every command that is under way, and what it started. */
export function stopAll(): void {
  for (const child of running) stop(child)
}

function stop(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

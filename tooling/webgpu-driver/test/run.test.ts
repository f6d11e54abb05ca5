import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const { AO_WEBGPU: line, AO_DEVICE: _, ...environment } = process.env
const PRINT = 'console.log(process.env.AO_WEBGPU ?? "as it was"); process.exitCode = 3'

/** Starts `node -e PRINT` by run.mjs, with more arguments and variables. */
function run(args: readonly string[], env: Record<string, string> = {}) {
  const script = fileURLToPath(new URL('../run.mjs', import.meta.url))
  const command = [script, process.execPath, '-e', PRINT, '--', ...args]
  const options = { encoding: 'utf8', env: { ...environment, ...env } } as const
  return spawnSync(process.execPath, command, options)
}

describe('run.mjs', () => {
  it('leaves commands alone that do not ask for WebGPU', () => {
    const { stdout, stderr, status } = run(['--device', 'cpu', 'not-webgpu'])
    expect({ stdout, stderr, status }).toEqual({ stdout: 'as it was\n', stderr: '', status: 3 })
  })

  it.each([
    ['an argument', ['--device', 'webgpu'], {}],
    ['an option with its value', ['--device=webgpu'], {}],
    ['a variable', [], { AO_DEVICE: 'webgpu' }],
  ])('prepares those that ask by %s', (_, args, env) => {
    const { stdout, stderr, status } = run(args, env)
    expect({ stdout, stderr, status }).toEqual({
      stdout: `${line}\n`,
      stderr: `${line}\n`,
      status: 3,
    })
  })

  it('says what it cannot run', () => {
    const script = fileURLToPath(new URL('../run.mjs', import.meta.url))
    const { stderr, status } = spawnSync(process.execPath, [script, 'no-such-command'])
    expect(String(stderr)).toBe('Could not run no-such-command: spawn no-such-command ENOENT.\n')
    expect(status).toBe(1)
  })
})

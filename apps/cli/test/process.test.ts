/** @file `ao` as a process of its own: what only a process has. */

import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { goldenPath } from '@ao/test-data'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bfloat16, digests, MODEL, writeRaw } from './checkpoints.ts'
import { aoProcess, startAo, temporaryFolder } from './run-cli.ts'

describe('the process', () => {
  it('prints JSON on stdout alone, and ends with 0, 1 or 2', async () => {
    const out = join(temporaryFolder(), 'out')
    const quantize = ['quantize', MODEL, '--config', 'int8', '--out', out, '--json']
    const [done, failed, usage] = await Promise.all([
      aoProcess(quantize),
      aoProcess(['inspect', 'nowhere', '--json']),
      aoProcess(['inspect']),
    ])
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(done.stdout).quantized).toBe(28)
    expect(failed).toMatchObject({ code: 1, stdout: '' })
    expect(failed.stderr).toMatch(/^error: \[@ao\/cli\] .*\n$/)
    expect(usage).toMatchObject({ code: 2, stdout: '' })
  })

  it('ends in silence when its reader has seen enough, as head has', async () => {
    const child = startAo(['inspect', goldenPath('checkpoints/int8wo/model.safetensors')])
    child.process.stdout.destroy()
    expect(await child.result).toMatchObject({ code: 0, stderr: '' })
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('ends on %s with %i, and a good output of before stays', async (signal, code) => {
    const folder = temporaryFolder()
    const out = join(folder, 'out')
    const small = join(folder, 'small.safetensors')
    const large = join(folder, 'large.safetensors')
    const tensor = bfloat16([1024, 4096], (i) => 0x3f80 + (i % 64))
    writeRaw(small, [['up_proj.weight', bfloat16([4, 8], (i) => 0x3f80 + i)]])
    writeRaw(
      large,
      Array.from({ length: 24 }, (_, i) => [`layers.${i}.up_proj.weight`, tensor] as const),
    )
    expect(await aoProcess(['quantize', small, '--config', 'int8', '--out', out])).toMatchObject({
      code: 0,
    })
    const before = digests(out)

    const child = startAo(['quantize', large, '--config', 'int8', '--out', out])
    // Files appear in a staging folder first: from then on there is something to interrupt.
    const poll = setInterval(() => {
      const staging = readdirSync(out).find((name) => name.startsWith('.ao-partial-'))
      if (staging === undefined) return
      if (readdirSync(join(out, staging)).some((name) => name.endsWith('.partial'))) {
        clearInterval(poll)
        child.process.kill(signal)
      }
    }, 2)
    const result = await child.result
    clearInterval(poll)
    expect(result).toEqual({ code, stdout: '', stderr: 'interrupted\n' })
    expect(digests(out)).toEqual(before)
  })

  it('ends on the first signal, whatever it waits for', async () => {
    const server = createServer(() => undefined)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => server.closeAllConnections())
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const asked = new Promise((done) => server.once('request', done))
    const child = startAo(['inspect', `http://127.0.0.1:${port}/model`])
    await asked
    child.process.kill('SIGINT')
    expect(await child.result).toEqual({ code: 130, stdout: '', stderr: 'interrupted\n' })
  })

  it('by npm takes paths from where the caller is, and ends on a signal when ao has ended', async () => {
    const root = fileURLToPath(new URL('../../..', import.meta.url))
    const folder = temporaryFolder()
    writeRaw(join(folder, 'a.safetensors'), [['up_proj.weight', bfloat16([4, 8], () => 0x3f80)]])
    const npm = (...argv: string[]): ChildProcess =>
      spawn('npm', ['--prefix', root, 'run', '--silent', 'ao', '--', ...argv], {
        ...{ cwd: folder, detached: true },
      })
    const inspect = npm('inspect', './a.safetensors')
    let text = ''
    inspect.stdout?.on('data', (data) => (text += String(data)))
    expect(await exitOf(inspect)).toBe(0)
    expect(text).toContain('up_proj.weight')

    const server = createServer(() => undefined)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => server.closeAllConnections())
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const asked = new Promise((done) => server.once('request', done))
    const waiting = npm('inspect', `http://127.0.0.1:${port}/model`)
    let message = ''
    waiting.stderr?.on('data', (data) => (message += String(data)))
    await asked
    const said = new Promise<string>((resolve) => waiting.on('exit', () => resolve(message)))
    // As a terminal does: to all processes of the command.
    process.kill(-(waiting.pid as number), 'SIGINT')
    expect(await said).toContain('interrupted\n')
  })
})

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('close', resolve))
}

import { createServer } from 'node:http'
import { readdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { goldenPath, readRawSafetensors } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { digests, MODEL, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const INT8 = goldenPath('checkpoints/int8wo_g32/model.safetensors')
const FLOAT = goldenPath('checkpoints/int8wo_g32/original.safetensors')

describe('inspect', () => {
  it('lists tensors with their sizes, and totals', async () => {
    const { stdout } = await ao(['inspect', INT8])
    expect(stdout).toMatch(/^up\.weight +Int8Tensor +\[256, 128\] +group of 32 +37888 +9\.25$/m)
    expect(stdout).toMatch(/^norm\.bias +bfloat16 +\[128\] +256 +16\.00$/m)
    expect(stdout).toMatch(/^all +7 +74304 +86\.4 kB +9\.30$/m)
    const { tensors, totals } = await aoJson(['inspect', INT8])
    const stored = [...readRawSafetensors(INT8).tensors.values()]
    expect(totals.bytes).toBe(stored.reduce((sum, { bytes }) => sum + bytes.length, 0))
    expect(tensors[0]).toMatchObject({ name: 'up.weight', shape: [256, 128], blockSize: [1, 32] })
  })

  it('names the granularity', async () => {
    const described = async (name: string): Promise<string[]> => {
      const { stdout } = await ao(['inspect', goldenPath(`checkpoints/${name}/model.safetensors`)])
      return [...stdout.matchAll(/Int8Tensor +\[.*?\] +(\S.*?) {2}/g)].map(
        (match) => match[1] ?? '',
      )
    }
    expect(await described('int8dyn')).toEqual(['row', 'row', 'row'])
    expect(await described('int8wo_g32')).toEqual(['group of 32', 'group of 32', 'group of 32'])
  })

  it('gives statistics of one tensor and of what it is stored as', async () => {
    const { statistics, parts, attributes } = await aoJson([
      ...['inspect', INT8, '--tensor', 'up.weight'],
    ])
    const qdata = readRawSafetensors(INT8).tensors.get('up._weight_qdata')
    const codes = [...new Int8Array(qdata?.bytes.buffer as ArrayBuffer)]
    const mean = codes.reduce((sum, code) => sum + code, 0) / codes.length
    const variance = codes.reduce((sum, code) => sum + (code - mean) ** 2, 0) / codes.length
    expect(statistics.qdata.min).toBe(Math.min(...codes))
    expect(statistics.qdata.mean).toBeCloseTo(mean, 10)
    expect(statistics.qdata.std).toBeCloseTo(Math.sqrt(variance), 8)
    expect(statistics.qdata.zeros).toBe(codes.filter((code) => code === 0).length / codes.length)
    expect(parts.map(({ key }: { key: string }) => key)).toContain('up._weight_scale')
    expect(attributes.block_size).toEqual([1, 32])
    const { stdout } = await ao(['inspect', INT8, '--tensor', 'up.weight'])
    expect(stdout).toMatch(/^value +-\d/m)
  })

  it('takes any safetensors file, and metadata that says nothing of tensors', async () => {
    const path = join(temporaryFolder(), 'odd.safetensors')
    const bytes = new Uint8Array(new Float64Array([1, 2, 3]).buffer)
    const empty = { dtype: 'F32', shape: [0, 4], bytes: new Uint8Array(0) }
    const tensors = [
      ['doubles', { dtype: 'F64', shape: [3], bytes }] as const,
      ['none', empty] as const,
    ]
    writeRaw(path, tensors, { author: 'someone' })
    const { stdout } = await ao(['inspect', path])
    expect(stdout).toMatch(/^doubles +F64 +\[3\] +24 +64\.00$/m)
    expect(stdout).toMatch(/^none +float32 +\[0, 4\] +0 +\?$/m)
    expect(stdout).toContain('metadata author: someone')
    expect((await ao(['inspect', path, '--tensor', 'doubles'])).stdout).toContain('no statistics')
    expect((await ao(['inspect', path, '--tensor', 'double'])).stderr).toContain(
      'Did you mean doubles?',
    )
  })
})

describe('compare', () => {
  it('gives SQNR of what tensors stand for, worst first', async () => {
    const report = await aoJson(['compare', FLOAT, INT8])
    const found = report.tensors.map(({ sqnr: db }: { sqnr: number | null }) => db ?? Infinity)
    expect(found.every((db: number, i: number) => i === 0 || found[i - 1] <= db)).toBe(true)
    const float = readRawSafetensors(FLOAT).tensors.get('up.weight')?.bytes.buffer
    const { tensors } = readRawSafetensors(INT8)
    const codes = new Int8Array(tensors.get('up._weight_qdata')?.bytes.buffer as ArrayBuffer)
    const scales = new Float32Array(tensors.get('up._weight_scale')?.bytes.buffer as ArrayBuffer)
    const bits = new Uint32Array(new Uint16Array(float as ArrayBuffer)).map((half) => half << 16)
    const expected = sqnr(
      new Float32Array(bits.buffer),
      Float32Array.from(codes, (code, i) => code * (scales[i >> 5] as number)),
    )
    const up = report.tensors.find(({ name }: { name: string }) => name === 'up.weight')
    expect(up.sqnr).toBeCloseTo(expected, 3)
    expect(report.totals).toMatchObject({ tensors: 7, equal: 4, bytesA: 148_608, bytesB: 86_400 })
    expect((await ao(['compare', FLOAT, INT8])).stdout).toContain(
      '7 tensors in both, 4 equal; 149 kB and 86.4 kB, a ratio of 1.72',
    )
  })

  it('lists what only one has, and shapes that differ', async () => {
    const folder = temporaryFolder()
    const float = (shape: number[]): any => ({
      ...{ dtype: 'F32', shape, bytes: new Uint8Array(4 * (shape[0] as number)) },
    })
    writeRaw(join(folder, 'a.safetensors'), [
      ['both', float([2])],
      ['left', float([1])],
    ])
    writeRaw(join(folder, 'b.safetensors'), [
      ['both', float([3])],
      ['right', float([1])],
    ])
    const { stdout } = await ao([
      ...['compare', join(folder, 'a.safetensors'), join(folder, 'b.safetensors')],
    ])
    expect(stdout).toMatch(/^both +float32 +float32 +8 +12 +shapes differ$/m)
    expect(stdout).toContain('only in a: left\nonly in b: right\n')
  })
})

describe('URLs', () => {
  /** Serves `folder` with range requests. */
  async function serve(folder: string): Promise<string> {
    const server = createServer((request, response) => {
      let bytes: Buffer
      try {
        bytes = readFileSync(join(folder, decodeURIComponent(request.url ?? '')))
      } catch {
        response.writeHead(404).end()
        return
      }
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      if (start === undefined) {
        response.writeHead(200).end(bytes)
        return
      }
      const last = Math.min(Number(end), bytes.length - 1)
      response.writeHead(206, { 'content-range': `bytes ${start}-${last}/${bytes.length}` })
      response.end(bytes.subarray(Number(start), last + 1))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('of a folder and of a file are read in ranges', async () => {
    const folder = temporaryFolder()
    const url = await serve(MODEL)
    const args = ['--config', 'int8', '--out']
    await aoJson(['quantize', url, ...args, join(folder, 'remote')])
    await aoJson(['quantize', MODEL, ...args, join(folder, 'local')])
    // A server cannot be asked what it has: of the files beside the weights, those come that models often
    // have. The record of the run lists them.
    const differ = ['reference.json', 'ao-quantize.json']
    const same = (name: string): boolean => !differ.includes(name)
    expect(digests(join(folder, 'remote'), same)).toEqual(digests(join(folder, 'local'), same))
    expect(readdirSync(join(folder, 'remote'))).not.toContain('reference.json')
    const { totals } = await aoJson(['inspect', `${url}/model.safetensors`])
    expect(totals.bytes).toBe(7_344_640)
    const { code, stderr } = await ao(['inspect', `${url}/other.safetensors`])
    expect(code).toBe(1)
    expect(stderr).toContain('HTTP status 404')
  })
})

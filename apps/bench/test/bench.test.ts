import { cpu, linear, readFloat32, tensor, innerTensors } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { configOf, linearCases, type LinearResult } from '../src/linears.ts'
import { modelCases, type ModelResult } from '../src/models.ts'
import { randomWeight } from '../src/random-tensors.ts'
import { median } from '../src/statistics.ts'
import { linearTable, modelTable } from '../src/tables.ts'

describe('random weights', () => {
  const formats = [...new Set(linearCases(true).map(({ format }) => format))]
  it.each(formats.filter((format) => format !== 'dense'))('of %s can be used', async (format) => {
    const config = configOf(format, 32)
    if (!config) throw new Error(`no config for ${format}`)
    const dtype = format === 'tile_packed_to_4d' ? 'bfloat16' : 'float32'
    const weight = randomWeight(config, [16, 1024], { device: cpu, dtype, seed: 3 })
    expect(weight.shape).toEqual([16, 1024])
    expect(innerTensors(weight).length).toBeGreaterThan(1)
    const x = tensor([Array.from({ length: 1024 }, (_, i) => Math.sin(i))])
    const y = await readFloat32(linear(x, weight))
    expect(y.every((value) => Number.isFinite(value))).toBe(true)
    expect(new Set(y).size).toBeGreaterThan(8)
  })
})

it('asks for every shape that is compared with ONNX Runtime', () => {
  const rows = linearCases(false).filter(({ format }) => format === 'preshuffled')
  const has = (m: number, k: number, n: number, groupSize: number): boolean =>
    rows.some((r) => r.m === m && r.k === k && r.n === n && r.groupSize === groupSize)
  for (const m of [1, 16, 128, 512]) expect(has(m, 4096, 14336, 32)).toBe(true)
  expect([has(1, 14336, 4096, 32), has(1, 4096, 4096, 32), has(1, 4096, 14336, 128)]).not.toContain(
    false,
  )
  expect(modelCases(false).map(({ model }) => model)).toContain('Llama-3.1-8B shape')
})

it('takes the middle value', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(3)
})

it('writes tables in Markdown', () => {
  const row: LinearResult = {
    ...{ format: 'preshuffled', m: 1, k: 4096, n: 14336, groupSize: 32, variant: 'gemv' },
    ...{ microseconds: 20, gigabytesPerSecond: 1650, teraflops: 5.87, shareOfCopy: 0.6 },
    onnxruntime: 35,
  }
  expect(linearTable([row]).split('\n')).toEqual([
    '| format | M | K x N | group | kernel | us | GB/s | TFLOP/s | of copy | onnxruntime us | ratio |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    '| preshuffled | 1 | 4096 x 14336 | 32 | gemv | 20.0 | 1650 | 5.9 | 60 % | 35.0 | 1.75 |',
  ])
  const model: ModelResult = {
    ...{ model: 'tiny', format: 'int8', weightBytes: 5e6, floorMilliseconds: 0.1, dispatches: 30 },
    ...{ decodeMilliseconds: 2, tokensPerSecond: 500, overheadShare: 0.25 },
    gpuMilliseconds: 1.8,
    firstTokenMilliseconds: { 32: 4 },
  }
  expect(modelTable([model]).split('\n')[2]).toBe(
    '| tiny | int8 | 5 | 500.0 | 2.00 | 0.10 | 1.80 | 25 % | 30 | 4.0 |',
  )
})

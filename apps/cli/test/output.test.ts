import { tensor } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { formatBytes, formatDb, formatJson, formatTable, plural } from '../src/output.ts'
import { createProgress } from '../src/progress.ts'
import { ascending, sqnr } from '../src/sqnr.ts'
import { nearest } from '../src/suggest.ts'

describe('numbers', () => {
  it('gives bytes in powers of 1000 with three digits', () => {
    expect([0, 999, 1000, 999_499, 999_600, 7_340_032, 2e9, 5e13].map(formatBytes)).toEqual([
      ...['0 B', '999 B', '1.00 kB', '999 kB', '1.00 MB', '7.34 MB', '2.00 GB', '50.0 TB'],
    ])
  })

  it('says equal for no noise, and null for it in JSON', () => {
    expect([Infinity, -Infinity, 41.26].map(formatDb)).toEqual(['equal', 'not finite', '41.3 dB'])
    expect(formatJson({ sqnr: Infinity })).toBe('{\n  "sqnr": null\n}')
  })

  it('counts', () => {
    expect([plural(0, 'tensor'), plural(1, 'tensor'), plural(2, 'tensor')]).toEqual([
      ...['0 tensors', '1 tensor', '2 tensors'],
    ])
  })
})

describe('formatTable', () => {
  it('lines columns up without rulers', () => {
    const columns = [{ title: 'name' }, { title: 'bytes', align: 'right' as const }]
    const rows = [
      ['a', '1'],
      ['layer.weight', '1024'],
    ]
    expect(formatTable(columns, rows)).toBe(
      ['name          bytes', 'a                 1', 'layer.weight   1024'].join('\n'),
    )
  })
})

describe('createProgress', () => {
  function record(isTTY: boolean): { text: string; write(text: string): void; isTTY: boolean } {
    const output = { text: '', isTTY, write: (text: string) => void (output.text += text) }
    return output
  }

  it('writes a plain line every five seconds where nobody watches', () => {
    const output = record(false)
    let now = 0
    const progress = createProgress('quantize', output, () => now)
    for (now = 0; now <= 11_000; now += 1000) progress.update(now, 11_000, `tensor ${now / 1000}`)
    progress.stop()
    expect(output.text).toBe('quantize: 45.5 %, tensor 5\nquantize: 90.9 %, tensor 10\n')
  })

  it('draws a bar on a terminal and clears it away', () => {
    const output = record(true)
    const progress = createProgress('quantize', output)
    progress.update(1, 2, 'a.weight')
    progress.stop()
    expect(output.text).toContain('quantize [')
    expect(output.text).toContain('50% ')
    expect(output.text).toContain('a.weight')
    expect(output.text).not.toContain('\n')
  })
})

describe('nearest', () => {
  it('finds slips of the pen, and nothing for other words', () => {
    const names = ['int8', 'int8-dynamic', 'int8-dynamic-asym']
    expect(nearest('int-8', names)).toBe('int8')
    expect(nearest('INT8-dynamc', names)).toBe('int8-dynamic')
    expect(nearest('float8', names)).toBeUndefined()
    expect(nearest('gptq', names)).toBeUndefined()
  })
})

describe('sqnr', () => {
  it('is 20 log10 of signal to noise', async () => {
    expect(await sqnr(tensor([3, 4]), tensor([3, 3.5]))).toBeCloseTo(20, 5)
  })

  it('is infinite where there is no noise, and sorts first where it means nothing', async () => {
    const nothing = tensor([0, 0])
    const broken = tensor([NaN, 1])
    expect(await sqnr(nothing, nothing.clone())).toBe(Infinity)
    expect(await sqnr(broken, broken.clone())).toBe(Infinity)
    expect(await sqnr(broken, tensor([2, 1]))).toBe(-Infinity)
    expect([Infinity, 3, -Infinity, Infinity].sort(ascending)).toEqual([
      ...[-Infinity, 3, Infinity, Infinity],
    ])
  })
})

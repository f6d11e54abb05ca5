import { FormatError } from '@ao/base-tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  memoryFolder,
  openCheckpoint,
  openCheckpointFile,
  bytesSource,
  parsePythonJson,
} from '../src/index.ts'
import { handMade, one } from './helpers.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('parsePythonJson', () => {
  it.each([
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    [
      '{"a": NaN, "b": [Infinity, -Infinity, 1e400]}',
      { a: NaN, b: [Infinity, -Infinity, Infinity] },
    ],
    ['\uFEFF{"a": 1}', { a: 1 }],
    ['\uFEFF {"a": NaN}', { a: NaN }],
    ['{"NaN": "Infinity", "a": NaN}', { NaN: 'Infinity', a: NaN }],
    ['{"a\\"": "NaN, -Infinity\\\\", "b": [NaN]}', { 'a"': 'NaN, -Infinity\\', b: [NaN] }],
    ['{"a": "NaN~", "b": "NaN", "c": NaN}', { a: 'NaN~', b: 'NaN', c: NaN }],
    ['{"a": 1, "a": 2}', { a: 2 }],
  ])('%s', (text, value) => {
    expect(parsePythonJson(text, 'x.json')).toEqual(value)
  })

  it('reads what JSON.parse reads, and strings as they are beside a NaN', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        expect(parsePythonJson(text, 'x.json')).toEqual(JSON.parse(text))
        expect(parsePythonJson(`[${text}, NaN]`, 'x.json')).toEqual([JSON.parse(text), NaN])
      }),
    )
  })

  it.each([
    ['', 'got an empty file'],
    ['{"a": nan}', 'got text that begins with "{\\"a\\": nan}"'],
    ['{"a": NaN', 'got text that begins with "{\\"a\\": NaN"'],
    ['[InfinityNaN]', 'got text that begins with'],
    ['+Infinity', 'got text that begins with'],
  ])('refuses %j', (text, got) => {
    const read = (): unknown => parsePythonJson(text, 'x.json')
    expect(read).toThrow(`[@ao/safetensors] Expected x.json to be JSON, ${got}`)
    expect(read).toThrow(expect.objectContaining({ name: FormatError.errorName }) as Error)
  })

  it('takes a long text in its stride', () => {
    const text = `{"a": ${JSON.stringify('\\"'.repeat(1e6))}, "b": [${'"x", '.repeat(1e5)}NaN]}`
    expect((parsePythonJson(text, 'x.json') as { b: unknown[] }).b).toHaveLength(100_001)
  })
})

describe('files of a checkpoint that Python wrote', () => {
  const shard = handMade(one('U8', [1], 0, 1), 1)

  it('an index with a byte order mark and numbers of Python', async () => {
    const index = '\uFEFF{"metadata": {"total_size": NaN}, "weight_map": {"a": "s.safetensors"}}'
    const files = { 's.safetensors': shard, 'model.safetensors.index.json': bytes(index) }
    const folder = memoryFolder(new Map(Object.entries(files)))
    expect((await openCheckpoint(folder)).names).toEqual(['a'])
    expect(await folder.readText('model.safetensors.index.json')).toMatch(/^\{/)
  })

  it("attributes in torchao's metadata", async () => {
    const entry = '{"_type": "X", "_data": {"a": NaN, "b": -Infinity}, "_tensor_data_names": []}'
    const metadata = { tensor_names: '["m.weight"]', 'm.weight': entry }
    const header = `{"__metadata__": ${JSON.stringify(metadata)}}`
    const checkpoint = await openCheckpointFile(bytesSource(handMade(header)))
    expect(checkpoint.info('m.weight').attributes).toEqual({ a: NaN, b: -Infinity })
  })
})

import { memoryFolder } from '@ao/safetensors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TextStream } from '../src/text-stream.ts'
import { loadTokenizer, Tokenizer } from '../src/tokenizer.ts'
import { readStoriesJson, reference } from './stories-4m.ts'

const tokenizerJson = readStoriesJson('tokenizer.json')
const tokenizerConfig = readStoriesJson('tokenizer_config.json')
const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig)
const { tokenizer_samples: samples } = reference

describe('Tokenizer', () => {
  it.each(samples)('encodes and decodes $text as Hugging Face does', ({ text, ids, decoded }) => {
    expect(tokenizer.encode(text)).toEqual(ids)
    expect(tokenizer.decode(ids)).toBe(decoded)
  })

  it('adds and leaves out special tokens as asked', () => {
    expect(tokenizer.encode('Once', { addSpecialTokens: false })).toEqual([496])
    expect(tokenizer.decode([1, 496, 2], { skipSpecialTokens: false })).toBe('<s>Once</s>')
    expect(tokenizer.decode([1, 496, 2])).toBe('Once')
  })

  it('decodes no ids, and special tokens alone, to nothing', () => {
    expect(tokenizer.decode([])).toBe('')
    expect(tokenizer.decode([1, 2])).toBe('')
  })

  it('keeps spaces before punctuation', () => {
    const text = "a , b ! it 's"
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
  })

  it('translates between tokens and ids', () => {
    expect(tokenizer.tokenToId('</s>')).toBe(2)
    expect(tokenizer.idToToken(424)).toBe('Ġupon')
    expect(tokenizer.tokenToId('no such token')).toBeUndefined()
    expect(tokenizer.idToToken(99999)).toBeUndefined()
  })

  it('gives any text back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
      }),
    )
  })

  it('decodes ids of no token to nothing: a padded vocabulary has such', () => {
    expect(tokenizer.decode([1, 5000])).toBe('')
    expect(tokenizer.decode([496, 2048, 424])).toBe('Once upon')
    const stream = tokenizer.stream()
    expect([496, 2050, 424].map((id) => stream.push(id)).join('') + stream.end()).toBe('Once upon')
  })

  it.each([-1, 1.5, NaN])('refuses %d as an id', (id) => {
    expect(() => tokenizer.decode([1, id])).toThrow(
      `[@ao/text-generation] Expected token ids: integers from 0 on, got ${id}.`,
    )
  })

  it('adds <s> to a text that begins with it, as transformers does, unless told otherwise', () => {
    expect(tokenizer.encode('<s>Once')).toEqual([1, 1, 496])
    expect(tokenizer.encode('<s>Once', { addSpecialTokens: false })).toEqual([1, 496])
  })

  it('refuses JSON that describes none', () => {
    expect(() => new Tokenizer({})).toThrow(
      '[@ao/text-generation] Expected tokenizer.json to describe a tokenizer',
    )
  })
})

describe('loadTokenizer', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const folder = (files: Record<string, string>) =>
    memoryFolder(new Map(Object.entries(files).map(([name, text]) => [name, bytes(text)])), 'tiny')

  it('reads a folder, with or without tokenizer_config.json', async () => {
    const files = { 'tokenizer.json': JSON.stringify(tokenizerJson) }
    const config = { 'tokenizer_config.json': JSON.stringify(tokenizerConfig) }
    for (const folderFiles of [files, { ...files, ...config }]) {
      const loaded = await loadTokenizer(folder(folderFiles))
      expect(loaded.encode('Once upon')).toEqual([1, 496, 424])
    }
  })

  it('wants a folder, not the path of one', async () => {
    await expect(loadTokenizer('./stories' as never)).rejects.toThrow(
      '[@ao/text-generation] Expected a folder, such as urlFolder(url) of @ao/safetensors or directory(path) of its /node, ' +
        'got "./stories".',
    )
  })

  it('names the file that is missing or broken', async () => {
    await expect(loadTokenizer(folder({}))).rejects.toThrow(
      '[@ao/text-generation] Expected tokenizer.json in tiny, got no such file.',
    )
    await expect(loadTokenizer(folder({ 'tokenizer.json': '{' }))).rejects.toThrow(
      '[@ao/text-generation] Expected tokenizer.json in tiny to hold a JSON object, got text that begins with "{".',
    )
    const page = '\n<!doctype html><title>An application</title>'
    await expect(loadTokenizer(folder({ 'tokenizer.json': page }))).rejects.toThrow(
      'got text that begins with "<!doctype html><title>An application</ti". ' +
        'The server answers with a page where it has no such file: check the address.',
    )
    await expect(loadTokenizer(folder({ 'tokenizer.json': '' }))).rejects.toThrow(
      'got an empty file.',
    )
    await expect(loadTokenizer(folder({ 'tokenizer.json': '[]' }))).rejects.toThrow(
      'to hold a JSON object',
    )
  })
})

describe('TextStream', () => {
  const pieces = (ids: readonly number[]): string[] => {
    const stream = tokenizer.stream()
    return [...ids.map((id) => stream.push(id)), stream.end()]
  }

  it('gives each word as its token comes', () => {
    const ids = tokenizer.encode('Tom and Mia')
    expect(pieces(ids)).toEqual(['', 'Tom', ' and', ' Mia', ''])
  })

  it('holds characters back until they are whole', () => {
    const ids = tokenizer.encode('a 😀 日', { addSpecialTokens: false })
    const streamed = pieces(ids)
    expect(streamed.join('')).toBe('a 😀 日')
    expect(streamed.filter((piece) => piece.trim())).toEqual(['a', '😀', '日'])
    expect(streamed.join('')).not.toContain('\uFFFD')
  })

  it('joins up to the whole text, and never splits a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const streamed = pieces(tokenizer.encode(text))
        expect(streamed.join('')).toBe(text)
        for (const piece of streamed) expect(piece).not.toMatch(/\p{Surrogate}/u)
      }),
    )
  })

  it('joins up to the text of any ids, broken characters included', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 2047 }))
    fc.assert(
      fc.property(ids, (ids) => {
        expect(pieces(ids).join('')).toBe(tokenizer.decode(ids))
      }),
    )
  })

  it('gives a broken end out as the replacement character', () => {
    const emoji = tokenizer.encode('😀', { addSpecialTokens: false })
    expect(emoji.length).toBeGreaterThan(1)
    expect(pieces(emoji.slice(0, 1))).toEqual(['', '\uFFFD'])
    const stream = tokenizer.stream()
    stream.push(emoji[0] as number)
    stream.end()
    expect(stream.push(496)).toBe('Once')
  })

  it('keeps the space that sentencepiece decoders drop at the start of a text', () => {
    const words = ['▁Hello', '▁big', '▁world']
    const decode = (ids: readonly number[]) =>
      ids
        .map((id) => words[id])
        .join('')
        .replaceAll('▁', ' ')
        .trimStart()
    const stream = new TextStream(decode)
    expect([0, 1, 2].map((id) => stream.push(id))).toEqual(['Hello', ' big', ' world'])
  })
})

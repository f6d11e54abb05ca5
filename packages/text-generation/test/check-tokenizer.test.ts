import { FormatError, ValueError } from '@ao/base-tensor'
import { memoryFolder } from '@ao/safetensors'
import { describe, expect, it } from 'vitest'
import { findCostlyPart } from '../src/pattern-cost.ts'
import { loadTokenizer, Tokenizer } from '../src/tokenizer.ts'
import { readStoriesJson } from './stories-4m.ts'

/** tokenizer.json of stories-4m, with a change. */
function changed(change: (json: any) => void): object {
  const json = structuredClone(readStoriesJson('tokenizer.json'))
  change(json)
  return json
}

const ID = 'to be an integer from 0 to 10000000, got'

describe('a tokenizer.json that describes no tokenizer', () => {
  it.each<[string, (json: any) => void, string]>([
    ['no model', (json) => delete json.model, 'a field `model` with a vocabulary, got nothing'],
    [
      'an unknown model',
      (json) => (json.model.type = 'X'),
      'model.type to be one of BPE, WordPiece, WordLevel, Unigram, got "X"',
    ],
    [
      'a vocabulary that is a list',
      (json) => (json.model.vocab = ['a', 'b']),
      'model.vocab to be an object of token ids, got ["a","b"]',
    ],
    [
      'no vocabulary',
      (json) => delete json.model.vocab,
      'model.vocab to be an object of token ids, got nothing',
    ],
    ['an id of text', (json) => (json.model.vocab.a = '5'), `model.vocab["a"] ${ID} "5"`],
    ['a negative id', (json) => (json.model.vocab.a = -1), `model.vocab["a"] ${ID} -1`],
    ['a fraction as an id', (json) => (json.model.vocab.a = 1.5), `model.vocab["a"] ${ID} 1.5`],
    ['a huge id', (json) => (json.model.vocab.a = 1e9), `model.vocab["a"] ${ID} 1000000000`],
    [
      'merges that are none',
      (json) => (json.model.merges = 3),
      'model.merges to be a list of pairs of tokens, got 3',
    ],
    [
      'a merge of one token',
      (json) => json.model.merges.push('a'),
      'model.merges to be a list of pairs of tokens, got "a"',
    ],
    [
      'added tokens that are no list',
      (json) => (json.added_tokens = {}),
      'added_tokens to be a list, got {}',
    ],
    [
      'an added token without a text',
      (json) => (json.added_tokens = [{ id: 1 }]),
      'added_tokens[0] to have a `content`, got {"id":1}',
    ],
    [
      'an added token without an id',
      (json) => (json.added_tokens = [{ content: 'a' }]),
      `added_tokens[0].id ${ID} nothing`,
    ],
    [
      'scores that are none',
      (json) => (json.model = { type: 'Unigram', vocab: [['a', 0], ['b']] }),
      'model.vocab to be a list of tokens with scores, got ["b"]',
    ],
    [
      'steps without an end',
      (json) => {
        for (let i = 0; i < 100; i++)
          json.normalizer = { type: 'Sequence', normalizers: [json.normalizer] }
      },
      'nest at most 32 levels, got more',
    ],
  ])('%s', (_, change, message) => {
    const build = (): Tokenizer => new Tokenizer(changed(change))
    expect(build).toThrow(
      `[@ao/text-generation] Expected tokenizer.json to describe a tokenizer, with `,
    )
    expect(build).toThrow(message)
    expect(build).toThrow(expect.objectContaining({ name: FormatError.errorName }) as Error)
  })

  it('may lack added tokens', () => {
    const tokenizer = new Tokenizer(changed((json) => (json.added_tokens = null)))
    expect(tokenizer.encode('Once', { addSpecialTokens: false })).toEqual([496])
  })

  it('is given texts only', () => {
    const tokenizer = new Tokenizer(readStoriesJson('tokenizer.json'))
    expect(() => tokenizer.encode(3 as never)).toThrow(ValueError)
  })
})

describe('expressions of tokenizer.json', () => {
  // Of GPT-2, Llama 3, GPT-4o, DeepSeek, BLOOM, Kimi and others.
  it.each([
    String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
    String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\s+`,
    String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+`,
    String.raw` ?[^(\s|[.,!?…。，、।۔،])]+`,
    String.raw`[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{M}&&[^\p{Han}]]+(?i:'s|'t)?`,
    String.raw`\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))`,
    String.raw`(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]`,
    String.raw`(?:\r\n|\n)+`,
    ' {2,}',
    '[一-龥぀-ゟ゠-ヿ]+',
    '^ ',
  ])('%s is accepted', (pattern) => {
    expect(findCostlyPart(pattern)).toBeUndefined()
  })

  it.each([
    '(a+)+b',
    '(a|a)*b',
    '(a|aa)+b',
    '([a-z]|[a-b])+x',
    '(.*)*b',
    '(?:a?){30}b',
    String.raw`(\w+\s?)*$`,
    '((a{1,9}){1,9}){1,9}b',
    '(?=(a+)+b)a',
    '(?:(?:a|b)|[ab])*c',
    'a*a*b',
    'a*?a*?b',
    'a*a*a*',
    'a+b*a+c',
    '(a*)(a*)b',
    String.raw`\s*\s*x`,
    String.raw`[\s\S]*[\s\S]*z`,
    '.*.*=.*',
    'a?a?a?a?a?a?a?a?a?a?a?a?a?aaa',
    'a{0,8}a{0,8}a{0,8}a{0,8}a{0,8}b',
    String.raw`(a)\1`,
    'a'.repeat(10_001),
    `${'('.repeat(60)}a${')'.repeat(60)}`,
    'a)b',
  ])('%s is refused', (pattern) => {
    expect(findCostlyPart(pattern)).toBeDefined()
  })

  const split = (pattern: string): object => ({
    type: 'Split',
    pattern: { Regex: pattern },
    behavior: 'Isolated',
  })
  it.each<[string, (json: any, pattern: string) => void]>([
    [
      'normalizer',
      (json, pattern) =>
        (json.normalizer = { type: 'Replace', pattern: { Regex: pattern }, content: '' }),
    ],
    ['pre_tokenizer', (json, pattern) => (json.pre_tokenizer = split(pattern))],
    [
      'pre_tokenizer',
      (json, pattern) =>
        (json.pre_tokenizer = { type: 'Sequence', pretokenizers: [split('a'), split(pattern)] }),
    ],
    [
      'decoder',
      (json, pattern) =>
        (json.decoder = { type: 'Replace', pattern: { Regex: pattern }, content: '' }),
    ],
  ])('are looked at wherever they are: %s', (step, change) => {
    expect(() => new Tokenizer(changed((json) => change(json, '(a+)+b')))).toThrow(
      new RegExp(
        `Expected expressions in ${step}.* of tokenizer.json that take a bounded time, got the repeated group`,
      ),
    )
    expect(() => new Tokenizer(changed((json) => change(json, 'a+b')))).not.toThrow()
  })
})

describe('files that Python wrote', () => {
  it('may begin with a byte order mark and hold NaN', async () => {
    const config = { ...readStoriesJson('tokenizer_config.json'), model_max_length: 'INFINITE' }
    const files = {
      'tokenizer.json': `\uFEFF${JSON.stringify(readStoriesJson('tokenizer.json'))}`,
      'tokenizer_config.json': JSON.stringify(config).replace('"INFINITE"', 'Infinity'),
      'config.json': '{"vocab_size": 2048, "initializer_range": NaN}',
    }
    const bytes = Object.entries(files).map(
      ([name, text]) => [name, new TextEncoder().encode(text)] as const,
    )
    const tokenizer = await loadTokenizer(memoryFolder(new Map(bytes)))
    expect(tokenizer.encode('Once upon')).toEqual([1, 496, 424])
  })

  it('say what a server answered where they are missing', async () => {
    const folder = memoryFolder(new Map())
    const missing = {
      ...folder,
      whyMissing: () => ({ got: 'HTTP status 403', cure: 'Ask again.' }),
    }
    await expect(loadTokenizer(missing)).rejects.toThrow('got HTTP status 403. Ask again.')
  })
})

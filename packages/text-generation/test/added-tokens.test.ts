/**
 * @file Added tokens in texts, against the `tokenizers` library of Hugging Face (0.23.2): random lists of
 * them with random flags, normalizers and pre-tokenizers on the vocabulary of stories-4m.
 */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AddedTokenSplitter, type AddedToken } from '../src/added-tokens.ts'
import { Tokenizer } from '../src/tokenizer.ts'
import { readStoriesJson } from './stories-4m.ts'

interface Reference {
  readonly added_tokens: readonly AddedToken[]
  readonly normalizer: object | null
  readonly pre_tokenizer: object
  readonly cases: readonly [text: string, ids: readonly number[]][]
}

const file = new URL('added-tokens.json', import.meta.url)
const references = JSON.parse(readFileSync(file, 'utf8')) as readonly Reference[]
const stories = readStoriesJson('tokenizer.json') as { added_tokens: AddedToken[] }

const FLAGS = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const

function split(text: string, ...tokens: readonly Partial<AddedToken>[]): string[] {
  const splitter = new AddedTokenSplitter(tokens.map((t, id) => ({ id, content: 'cat', ...t })))
  return splitter.split(text).map((part) => (typeof part === 'string' ? part : `[${part.content}]`))
}

describe('added tokens', () => {
  it.each(references.map((reference, i) => [i, reference] as const))(
    'are found as in Hugging Face: tokenizer %i',
    (_, { cases, added_tokens: added, ...parts }) => {
      const json = { ...stories, ...parts, added_tokens: [...stories.added_tokens, ...added] }
      const tokenizer = new Tokenizer(json)
      expect(cases.map(([text]) => tokenizer.encode(text))).toEqual(cases.map(([, ids]) => ids))
    },
  )

  it('have every flag on and off among the references, and are found', () => {
    const tokens = references.flatMap(({ added_tokens: added }) => added)
    for (const flag of FLAGS) {
      expect(new Set(tokens.map((token) => token[flag]))).toEqual(new Set([true, false]))
    }
    const ids = references.flatMap(({ cases }) => cases.flatMap(([, found]) => found))
    expect(ids.filter((id) => id >= 2048).length).toBeGreaterThan(50)
  })

  it.each<[string, Partial<AddedToken>, string[]]>([
    ['a cat, cats', { single_word: true }, ['a ', '[cat]', ', cats']],
    ['cat_ écat 9cat catｅ', { single_word: true }, ['cat_ écat 9cat catｅ']],
    ['𝒂cat (cat) cat𝒂', { single_word: true }, ['𝒂cat (', '[cat]', ') cat𝒂']],
    ['a \n cat b', { lstrip: true }, ['a', '[cat]', ' b']],
    ['a cat \u2003\u0085b', { rstrip: true }, ['a ', '[cat]', 'b']],
    ['  cat  cat  ', { lstrip: true, rstrip: true }, ['[cat]', '[cat]']],
    ['concatenate', {}, ['con', '[cat]', 'enate']],
  ])('of %j with %j', (text, flags, sections) => {
    expect(split(text, flags)).toEqual(sections)
  })

  it('are the leftmost, then the longest', () => {
    const tokens = ['cat', 'cats', 'at', 'o cat'].map((content) => ({ content }))
    expect(split('two cats at', ...tokens)).toEqual(['tw', '[o cat]', 's ', '[at]'])
    expect(split('cats', ...tokens)).toEqual(['[cats]'])
  })
})

/** @file What a tokenizer.json must hold before a tokenizer is made of it. */

import { FormatError } from '@ao/base-tensor'
import { isObject } from './config-fields.ts'
import { findCostlyPart } from './pattern-cost.ts'

/** Ids up to this take a list of this length. The largest vocabularies have some 260,000 tokens. */
const MAX_ID = 10_000_000
/** `Sequence` within `Sequence`, and the like. */
const MAX_DEPTH = 32

/** Vocabularies are maps from token to id for these, and for those without a type. */
const WITH_IDS = ['BPE', 'WordPiece', 'WordLevel']
const MODEL_TYPES = [...WITH_IDS, 'Unigram']

/** Parts that work on text, by expressions of the file's. */
const STEPS = ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']

/** @throws {@link FormatError} naming the field that is wrong */
export function checkTokenizer(json: object): void {
  const file = json as Record<string, unknown>
  const { model } = file
  if (!isObject(model)) refuse('a field `model` with a vocabulary', describe(model))
  checkModel(model)
  checkAddedTokens(file['added_tokens'])
  for (const step of STEPS) checkPatterns(file[step], step, 0)
}

function checkModel(model: Readonly<Record<string, unknown>>): void {
  const { type, vocab, merges } = model
  if (type !== undefined && type !== null && !MODEL_TYPES.includes(type as string)) {
    refuse(`model.type to be one of ${MODEL_TYPES.join(', ')}`, describe(type))
  }
  if (type === 'Unigram' || (!type && Array.isArray(vocab))) {
    checkScores(vocab)
    return
  }
  if (!isObject(vocab)) refuse('model.vocab to be an object of token ids', describe(vocab))
  for (const [token, id] of Object.entries(vocab))
    checkId(id, `model.vocab[${JSON.stringify(token)}]`)
  if (type === 'BPE' && !(Array.isArray(merges) && merges.every(isMerge))) {
    refuse('model.merges to be a list of pairs of tokens', describeWrong(merges, isMerge))
  }
}

function checkScores(vocab: unknown): void {
  const isScored = (entry: unknown): boolean =>
    Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number'
  if (Array.isArray(vocab) && vocab.every(isScored)) return
  refuse('model.vocab to be a list of tokens with scores', describeWrong(vocab, isScored))
}

function isMerge(entry: unknown): boolean {
  if (typeof entry === 'string') return entry.includes(' ')
  return (
    Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === 'string')
  )
}

function checkAddedTokens(tokens: unknown): void {
  if (tokens === undefined || tokens === null) return
  if (!Array.isArray(tokens)) refuse('added_tokens to be a list', describe(tokens))
  for (const [i, token] of (tokens as readonly unknown[]).entries()) {
    const where = `added_tokens[${i}]`
    if (!isObject(token) || typeof token['content'] !== 'string') {
      refuse(`${where} to have a \`content\``, describe(token))
    }
    checkId(token['id'], `${where}.id`)
  }
}

function checkId(id: unknown, where: string): void {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) <= MAX_ID) return
  refuse(`${where} to be an integer from 0 to ${MAX_ID}`, describe(id))
}

/** Looks for `{"Regex": "..."}` wherever it is. */
function checkPatterns(json: unknown, where: string, depth: number): void {
  if (typeof json !== 'object' || json === null) return
  if (depth > MAX_DEPTH) refuse(`${where} to nest at most ${MAX_DEPTH} levels`, 'more')
  for (const [key, value] of Object.entries(json)) {
    if (key === 'Regex' && typeof value === 'string') checkPattern(value, where)
    else checkPatterns(value, depth === 0 ? `${where}.${key}` : where, depth + 1)
  }
}

function checkPattern(pattern: string, where: string): void {
  const costly = findCostlyPart(pattern)
  if (costly === undefined) return
  throw new FormatError({
    package: '@ao/text-generation',
    expected: `expressions in ${where} of tokenizer.json that take a bounded time`,
    got: `${costly}, in ${describe(pattern)}`,
    cure: 'Some texts would take for ever. Check where the file comes from, or write the expression in another way.',
  })
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}

function describeWrong(list: unknown, isRight: (entry: unknown) => boolean): string {
  if (!Array.isArray(list)) return describe(list)
  return describe((list as readonly unknown[]).find((entry) => !isRight(entry)))
}

function refuse(expected: string, got: string): never {
  throw new FormatError({
    package: '@ao/text-generation',
    expected: `tokenizer.json to describe a tokenizer, with ${expected}`,
    got,
    cure: 'Download it again, or save it anew with the transformers library.',
  })
}

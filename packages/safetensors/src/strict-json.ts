/**
 * @file Text and JSON from files that nobody vouches for.
 *
 * `JSON.parse` keeps the last of several equal keys without a word, and how deep it can go differs
 * between engines. So a scan for both comes first. It looks at brackets and strings only, and leaves
 * every other mistake to `JSON.parse`.
 */

import type { Json } from '@ao/base-tensor'
import { quote, reasonOf, refuse } from './errors.ts'
import { MAX_JSON_DEPTH } from './limits.ts'

/**
 * The value of a JSON text.
 *
 * @param what - the text's name in messages, such as `the header of model.safetensors`
 * @throws {@link FormatError} for invalid JSON, equal keys in one object, and deep nesting
 */
export function parseStrictJson(text: string, what: string): Json {
  scan(text, what)
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    return refuse(`${what} to be valid JSON`, reasonOf(error), DAMAGED, error)
  }
}

/** @throws {@link FormatError} for bytes that are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    return refuse(`${what} to be UTF-8`, 'other bytes', DAMAGED, error)
  }
}

const DAMAGED = 'It is damaged, or of another kind.'

const COLON = 0x3a
const BACKSLASH = 0x5c

function scan(text: string, what: string): void {
  // Keys seen in each object that is open; undefined for an open list.
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '{':
      case '[':
        open.push(text[i] === '{' ? new Set() : undefined)
        if (open.length > MAX_JSON_DEPTH) {
          refuse(`${what} to nest at most ${MAX_JSON_DEPTH} levels`, 'more', DAMAGED)
        }
        break
      case '}':
      case ']':
        open.pop()
        break
      case '"': {
        const end = closingQuote(text, i)
        if (end === undefined) return
        const keys = open.at(-1)
        if (keys && text.charCodeAt(skipSpace(text, end + 1)) === COLON) {
          addKey(keys, text.slice(i, end + 1), what)
        }
        i = end
      }
    }
  }
}

function addKey(keys: Set<string>, literal: string, what: string): void {
  // Escapes can spell one key in several ways; a bad one is left for JSON.parse to report.
  const key = literal.includes('\\') ? decodeKey(literal) : literal.slice(1, -1)
  if (key === undefined) return
  if (keys.has(key)) {
    refuse(
      `${what} to name each key once`,
      `${quote(key)} twice`,
      'Readers would not agree on which one counts, so write the file again.',
    )
  }
  keys.add(key)
}

function decodeKey(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string
  } catch {
    return undefined
  }
}

/** Index of the quote that ends the string which begins at `start`. */
function closingQuote(text: string, start: number): number | undefined {
  for (let end = text.indexOf('"', start + 1); end > 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end
  }
  return undefined
}

function skipSpace(text: string, start: number): number {
  let i = start
  while (/\s/.test(text[i] ?? '')) i++
  return i
}

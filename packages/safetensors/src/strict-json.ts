/** @file Text and JSON from files that nobody vouches for, and JSON as Python writes it. */

import { takes } from '@ao/base-tensor'
import type { Json } from '@ao/base-tensor'
import { refuse } from './errors.ts'
import { DAMAGED, JsonScanner } from './json-scanner.ts'

/**
 * The value of a JSON text, in which `NaN`, `Infinity` and `-Infinity` are numbers, as Python writes them.
 *
 * @param what - the text's name in messages, such as `tensor_names of model.safetensors`
 * @throws {@link FormatError} for invalid JSON, equal keys in one object, and deep nesting
 */
export function parseStrictJson(text: string, what: string): Json {
  const scanner = new JsonScanner(text, what, true)
  scanner.skip()
  scanner.end()
  return JSON.parse(scanner.sawPythonNumber ? withoutPythonNumbers(text) : text, reviver(text))
}

/**
 * The value of a JSON file as Python's `json.load` gives it, and as its `json.dump` writes: with `NaN`,
 * `Infinity` and `-Infinity`; of equal keys the last one counts. A byte order mark is passed over.
 *
 * @param what - the file's name in messages
 * @throws {@link FormatError} for anything else than JSON
 */
export function parsePythonJson(text: string, what: string): Json {
  takes('xx', text, what)
  const body = text.replace(/^\uFEFF/, '')
  try {
    return JSON.parse(body) as Json
  } catch (error) {
    try {
      return JSON.parse(withoutPythonNumbers(body), reviver(body)) as Json
    } catch {
      const start = body.trimStart().slice(0, 40)
      const got = start === '' ? 'an empty file' : `text that begins with ${JSON.stringify(start)}`
      return refuse(`${what} to be JSON`, `${got} (${(error as Error).message})`, DAMAGED, error)
    }
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

// Strings come first, so that nothing in them is taken for a number.
const STRINGS_AND_NUMBERS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/gs

/** JSON overflows to infinities by itself; a NaN becomes a string that is nowhere else in the text. */
function withoutPythonNumbers(text: string): string {
  const nan = JSON.stringify(nanMark(text))
  return text.replace(STRINGS_AND_NUMBERS, (token) => {
    if (token === 'NaN') return nan
    return token.endsWith('Infinity') ? token.replace('Infinity', '1e999') : token
  })
}

function reviver(text: string): ((key: string, value: unknown) => unknown) | undefined {
  if (!text.includes('NaN')) return undefined
  const mark = nanMark(text)
  return (_, value) => (value === mark ? NaN : value)
}

function nanMark(text: string): string {
  let mark = 'NaN'
  while (text.includes(mark)) mark += '~'
  return mark
}

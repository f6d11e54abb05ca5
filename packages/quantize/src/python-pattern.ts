/**
 * @file Python's regular expressions, as far as JavaScript has them.
 *
 * Patterns come from configs written for Python's `re.fullmatch`. What the two languages spell
 * differently is translated; what JavaScript cannot say is refused, so that no pattern means something
 * else here than there.
 */

import { ValueError } from '@ao/base-tensor'
import { namePattern, type NamePattern } from './name-pattern.ts'

/**
 * A pattern that matches where Python's `re.fullmatch(pattern, ...)` does, in time that is bounded whatever
 * the pattern is: see {@link namePattern}.
 *
 * @throws {@link ValueError} for syntax that JavaScript lacks, or that neither accepts
 */
export function fullMatchPattern(pattern: string): NamePattern {
  const global = /^\(\?([a-z]+)\)/i.exec(pattern)
  const flags = global ? translateFlags(global[1] as string, pattern) : ''
  const body = pattern.slice(global?.[0].length ?? 0)
  let source = ''
  let inClass = false
  for (let at = 0; at < body.length;) {
    const [length, text] = (inClass ? classToken : token)(body, at, pattern)
    if (!inClass && body[at] === '[') inClass = true
    else if (inClass && body[at] === ']') inClass = false
    source += text
    at += length
  }
  try {
    void new RegExp(source, flags)
  } catch (cause) {
    throw refusal(pattern, (cause as Error).message, cause)
  }
  return namePattern(source, flags, (got) => {
    throw refusal(pattern, got)
  })
}

// How much of the pattern a token takes, and what JavaScript writes for it.
type Token = readonly [length: number, text: string]

function token(body: string, at: number, pattern: string): Token {
  const rest = body.slice(at)
  if (rest.startsWith('\\')) return escape(rest, pattern)
  if (rest.startsWith('(?')) return group(rest, pattern)
  // A `]` that comes first is an element of the class.
  const openClass = /^\[(\^?)(\]?)/.exec(rest)
  if (openClass) return [openClass[0].length, `[${openClass[1]}${openClass[2] ? '\\]' : ''}`]
  const upTo = /^\{,(\d*)\}/.exec(rest)
  if (upTo) return [upTo[0].length, `{0,${upTo[1]}}`]
  if (/^([*+?]|\{\d+(,\d*)?\})\+/.test(rest)) throw refusal(pattern, 'a possessive quantifier')
  return [1, rest.charAt(0)]
}

function classToken(body: string, at: number, pattern: string): Token {
  const rest = body.slice(at)
  return rest.startsWith('\\') ? escape(rest, pattern) : [1, rest.charAt(0)]
}

/** Letters to which only one of the two languages gives a meaning. */
const FOREIGN_ESCAPE = /[aceghijklmopqyzCEFGHIJKLMNOPQRTUVXY]/

function escape(rest: string, pattern: string): Token {
  const next = rest.charAt(1)
  if (next === 'A') return [2, '^']
  if (next === 'Z') return [2, '$']
  if (FOREIGN_ESCAPE.test(next)) throw refusal(pattern, `\\${next}`)
  return [2, rest.slice(0, 2)]
}

function group(rest: string, pattern: string): Token {
  const comment = /^\(\?#[^)]*\)/.exec(rest)
  if (comment) return [comment[0].length, '']
  const named = /^\(\?P<(\w+)>/.exec(rest)
  if (named) return [named[0].length, `(?<${named[1]}>`]
  const reference = /^\(\?P=(\w+)\)/.exec(rest)
  if (reference) return [reference[0].length, `\\k<${reference[1]}>`]
  const shared = /^\(\?(?::|=|!|<=|<!)/.exec(rest)
  if (shared) return [shared[0].length, shared[0]]
  throw refusal(pattern, rest.slice(0, 4))
}

function translateFlags(flags: string, pattern: string): string {
  for (const flag of flags) {
    if (!'aimsu'.includes(flag)) throw refusal(pattern, `the flag '${flag}'`)
  }
  // `a` and `u` choose what \w means, which for names makes no difference.
  return flags.replace(/[au]/g, '')
}

function refusal(pattern: string, got: string, cause?: unknown): ValueError {
  return new ValueError({
    package: '@ao/quantize',
    expected: `a regular expression that JavaScript has, in 're:${pattern}'`,
    got,
    cure: 'Write it with classes, groups, alternatives and plain quantifiers.',
    cause,
  })
}

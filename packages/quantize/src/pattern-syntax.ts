/** @file The parts of a regular expression in JavaScript's syntax that RegExp has accepted already. */

/** A piece of an expression. */
export type PatternNode =
  | { readonly kind: 'character'; readonly source: string }
  | { readonly kind: 'sequence' | 'alternatives'; readonly items: readonly PatternNode[] }
  | {
      readonly kind: 'repeat'
      readonly item: PatternNode
      readonly min: number
      readonly max: number
    }
  | { readonly kind: 'group'; readonly item: PatternNode; readonly index: number }
  | {
      readonly kind: 'look'
      readonly item: PatternNode
      readonly ahead: boolean
      readonly negated: boolean
    }
  | { readonly kind: 'edge'; readonly source: '^' | '$' | '\\b' | '\\B' }
  | { readonly kind: 'reference'; readonly group: number | string }

export interface ParsedPattern {
  readonly root: PatternNode
  readonly groupNames: ReadonlyMap<string, number>
  readonly groups: number
}

/** Groups within groups; more would only exhaust the stack. */
const MAX_NESTING = 200

const GROUP = /\((?:\?(?::|<?[=!]|<(\w+)>))?/y
const QUANTIFIER = /([*+?]|\{(\d+)(?:(,)(\d*))?\})\??/y
const CLASS = /\[\^?(?:\\.|[^\]\\])*\]/sy
const NAMED_REFERENCE = /\\k<(\w+)>/y
const REFERENCE = /\\([1-9]\d*)/y
const EDGE = /\\[bB]|[$^]/y
const ESCAPE = /\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|0[0-7]{0,2}|.)/sy

/** @param refuse - called with what cannot be read */
export function parsePattern(source: string, refuse: (got: string) => never): ParsedPattern {
  const groupNames = new Map<string, number>()
  let at = 0
  let groups = 0
  let nesting = 0

  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    if (found) at = pattern.lastIndex
    return found ?? undefined
  }

  const alternatives = (): PatternNode => {
    const items = [sequence()]
    while (source[at] === '|') {
      at++
      items.push(sequence())
    }
    return items.length === 1 ? (items[0] as PatternNode) : { kind: 'alternatives', items }
  }

  const sequence = (): PatternNode => {
    const items: PatternNode[] = []
    while (at < source.length && source[at] !== '|' && source[at] !== ')')
      items.push(repeated(atom()))
    return { kind: 'sequence', items }
  }

  const repeated = (item: PatternNode): PatternNode => {
    const found = take(QUANTIFIER)
    if (!found) return item
    const [, mark = '', least, comma, most] = found
    const min = least === undefined ? (mark === '+' ? 1 : 0) : Number(least)
    const open = mark === '*' || mark === '+' || (comma !== undefined && most === '')
    const max = open ? Infinity : mark === '?' ? 1 : Number(most || least)
    return { kind: 'repeat', item, min, max }
  }

  const atom = (): PatternNode => {
    const open = take(GROUP)
    if (open) return group(open)
    const edge = take(EDGE)
    if (edge) return { kind: 'edge', source: edge[0] as '^' }
    const named = take(NAMED_REFERENCE)
    if (named) return { kind: 'reference', group: named[1] as string }
    const reference = take(REFERENCE)
    if (reference) return { kind: 'reference', group: Number(reference[1]) }
    const found = take(CLASS) ?? take(ESCAPE)
    return { kind: 'character', source: found?.[0] ?? literal() }
  }

  const literal = (): string => {
    const character = source.charAt(at++)
    return character === '{' || character === '}' || character === ']'
      ? `\\${character}`
      : character
  }

  const group = ([mark, name]: RegExpExecArray): PatternNode => {
    if (++nesting > MAX_NESTING) refuse(`more than ${MAX_NESTING} groups within each other`)
    const index = mark === '(' || name !== undefined ? ++groups : 0
    if (name !== undefined) groupNames.set(name, index)
    const item = alternatives()
    at++
    nesting--
    if (index > 0) return { kind: 'group', item, index }
    const look = /^\(\?(<?)([=!])$/.exec(mark)
    return look ? { kind: 'look', item, ahead: look[1] === '', negated: look[2] === '!' } : item
  }

  return { root: alternatives(), groupNames, groups }
}

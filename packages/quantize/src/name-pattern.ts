/**
 * @file Matching names by patterns from files, in time that a file cannot blow up.
 *
 * A pattern becomes a small program. Matching walks through its states, each of which is a place in the
 * program and a place in the text, and enters none twice: time grows with their product. (RE2's BitState
 * does the same. Its ports to JavaScript take 45 kB and know no lookahead, which configs for Python use.)
 * Patterns that refer back to groups have more states, so their number is limited.
 */

import { parsePattern, type ParsedPattern, type PatternNode } from './pattern-syntax.ts'

/** A pattern for whole names. */
export interface NamePattern {
  /** Whether the pattern matches all of `name`. */
  test(name: string): boolean
}

type Step =
  | { readonly kind: 'character'; readonly regExp: RegExp }
  | { readonly kind: 'split'; readonly to: number[] }
  | { readonly kind: 'edge'; readonly source: string }
  | {
      readonly kind: 'look'
      readonly start: number
      readonly ahead: boolean
      readonly negated: boolean
    }
  | { readonly kind: 'open' | 'close'; readonly group: number }
  | { readonly kind: 'reference'; readonly group: number }
  | { readonly kind: 'end' }

/** Parts of a pattern, repetitions written out. */
const MAX_PARTS = 5000
/** States that one name may take; a pattern of 40 characters has some 3,000 on a name of 60. */
const MAX_STATES = 1_000_000

/**
 * @param source - an expression that RegExp accepts
 * @param flags - of `i`, `m` and `s`
 * @param refuse - called with what is wrong with it
 */
export function namePattern(
  source: string,
  flags: string,
  refuse: (got: string) => never,
): NamePattern {
  const program = compile(parsePattern(source, refuse), flags, refuse)
  return { test: (name) => new Match(program, name, refuse).run(0, [0], name.length) !== undefined }
}

interface Program {
  readonly steps: readonly Step[]
  readonly flags: string
  /** Whether it refers back to groups: what they hold is part of a state then. */
  readonly refers: boolean
}

function compile(
  { root, groupNames, groups }: ParsedPattern,
  flags: string,
  refuse: (got: string) => never,
): Program {
  const steps: Step[] = []
  // A lookaround's own program comes after the main one.
  const later: (() => void)[] = []
  let refers = false
  let parts = 0

  const emit = (node: PatternNode): void => {
    if (++parts > MAX_PARTS) refuse(`more than ${MAX_PARTS} parts, repetitions written out`)
    switch (node.kind) {
      case 'character':
        steps.push({ kind: 'character', regExp: new RegExp(`^${node.source}$`, flags) })
        break
      case 'sequence':
        node.items.forEach(emit)
        break
      case 'alternatives':
        emitAlternatives(node.items)
        break
      case 'repeat':
        emitRepeat(node.item, node.min, node.max)
        break
      case 'group':
        steps.push({ kind: 'open', group: node.index })
        emit(node.item)
        steps.push({ kind: 'close', group: node.index })
        break
      case 'look':
        emitLook(node)
        break
      case 'edge':
        steps.push({ kind: 'edge', source: node.source })
        break
      case 'reference': {
        const group = typeof node.group === 'string' ? groupNames.get(node.group) : node.group
        if (group === undefined || group > groups) return refuse(`a reference to no group`)
        refers = true
        steps.push({ kind: 'reference', group })
      }
    }
  }

  const emitAlternatives = (items: readonly PatternNode[]): void => {
    const ends: number[][] = []
    items.forEach((item, i) => {
      const to = [steps.length + 1]
      if (i < items.length - 1) steps.push({ kind: 'split', to })
      emit(item)
      const end: number[] = []
      steps.push({ kind: 'split', to: end })
      ends.push(end)
      if (i < items.length - 1) to.push(steps.length)
    })
    for (const end of ends) end.push(steps.length)
  }

  const emitRepeat = (item: PatternNode, min: number, max: number): void => {
    for (let i = 0; i < min; i++) emit(item)
    if (max === Infinity) {
      const start = steps.length
      const to = [start + 1]
      steps.push({ kind: 'split', to })
      emit(item)
      steps.push({ kind: 'split', to: [start] })
      to.push(steps.length)
      return
    }
    const skips: number[][] = []
    for (let i = min; i < max; i++) {
      const to = [steps.length + 1]
      steps.push({ kind: 'split', to })
      skips.push(to)
      emit(item)
    }
    for (const to of skips) to.push(steps.length)
  }

  const emitLook = ({ item, ahead, negated }: PatternNode & { kind: 'look' }): void => {
    const step = { kind: 'look' as const, start: 0, ahead, negated }
    steps.push(step)
    later.push(() => {
      step.start = steps.length
      emit(item)
      steps.push({ kind: 'end' })
    })
  }

  emit(root)
  steps.push({ kind: 'end' })
  for (let next = later.shift(); next; next = later.shift()) next()
  return { steps, flags, refers }
}

/** Where groups begin and end: `2 * group` and the index after it. */
type Captures = readonly number[]

/** One name. */
class Match {
  readonly #program: Program
  readonly #text: string
  readonly #refuse: (got: string) => never
  /** Answers of lookarounds by step and position. */
  readonly #looks = new Map<number, Captures | false>()
  #states = 0

  constructor(program: Program, text: string, refuse: (got: string) => never) {
    this.#program = program
    this.#text = text
    this.#refuse = refuse
  }

  /** What groups hold after a match from one of `from` on; `end` is where it has to end. */
  run(
    start: number,
    from: readonly number[],
    end?: number,
    captures: Captures = [],
  ): Captures | undefined {
    const { steps, refers } = this.#program
    const seen = new Set<number | string>()
    const stack = from.map((position): [number, number, Captures] => [start, position, captures])
    for (let state = stack.pop(); state; state = stack.pop()) {
      const [at, position, held] = state
      const place = at * (this.#text.length + 1) + position
      const key = refers ? `${place} ${held.join(' ')}` : place
      if (seen.has(key)) continue
      seen.add(key)
      if (++this.#states > MAX_STATES) {
        const name = this.#text.slice(0, 60)
        this.#refuse(`more than ${MAX_STATES} states on a name that begins with '${name}'`)
      }
      const step = steps[at] as Step
      if (step.kind === 'end') {
        if (end === undefined || position === end) return held
      } else if (step.kind === 'split') {
        for (const to of step.to.toReversed()) stack.push([to, position, held])
      } else {
        const next = this.#take(step, at, position, held)
        if (next) stack.push([at + 1, ...next])
      }
    }
    return undefined
  }

  /** Where a step leads, if it fits. */
  #take(
    step: Exclude<Step, { kind: 'end' | 'split' }>,
    at: number,
    position: number,
    held: Captures,
  ): readonly [position: number, captures: Captures] | undefined {
    const text = this.#text
    switch (step.kind) {
      case 'character': {
        const fits = position < text.length && step.regExp.test(text.charAt(position))
        return fits ? [position + 1, held] : undefined
      }
      case 'edge':
        return this.#isEdge(step.source, position) ? [position, held] : undefined
      case 'open':
      case 'close':
        return [position, this.#program.refers ? capture(held, step, position) : held]
      case 'reference': {
        const length = this.#matchReference(step.group, position, held)
        return length === undefined ? undefined : [position + length, held]
      }
      case 'look': {
        const found = this.#look(step, at, position, held)
        if (step.negated) return found ? undefined : [position, held]
        return found && [position, found]
      }
    }
  }

  #isEdge(source: string, position: number): boolean {
    const text = this.#text
    const multiline = this.#program.flags.includes('m')
    if (source === '^') return position === 0 || (multiline && text[position - 1] === '\n')
    if (source === '$') return position === text.length || (multiline && text[position] === '\n')
    const isWord = (at: number): boolean => /\w/.test(text.charAt(at))
    return (isWord(position - 1) !== isWord(position)) === (source === '\\b')
  }

  /** A group that holds nothing yet matches nowhere, as in Python. */
  #matchReference(group: number, position: number, held: Captures): number | undefined {
    const [begin, end] = [held[2 * group], held[2 * group + 1]]
    if (begin === undefined || end === undefined || end < begin) return undefined
    const fold = (text: string): string =>
      this.#program.flags.includes('i') ? text.toLowerCase() : text
    const length = end - begin
    const fits =
      fold(this.#text.slice(begin, end)) === fold(this.#text.slice(position, position + length))
    return fits ? length : undefined
  }

  #look(
    step: Step & { kind: 'look' },
    at: number,
    position: number,
    held: Captures,
  ): Captures | undefined {
    const key = at * (this.#text.length + 1) + position
    const known = this.#program.refers ? undefined : this.#looks.get(key)
    if (known !== undefined) return known || undefined
    const found = step.ahead
      ? this.run(step.start, [position], undefined, held)
      : this.run(step.start, [...Array(position + 1).keys()], position, held)
    this.#looks.set(key, found ?? false)
    return found
  }
}

function capture(
  held: Captures,
  { kind, group }: { readonly kind: 'open' | 'close'; readonly group: number },
  position: number,
): Captures {
  const next = Array.from(held)
  next[2 * group + (kind === 'open' ? 0 : 1)] = position
  return next
}

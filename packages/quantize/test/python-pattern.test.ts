import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fullMatchPattern } from '../src/python-pattern.ts'

const matches = (pattern: string, text: string): boolean => fullMatchPattern(pattern).test(text)

describe('fullMatchPattern', () => {
  it('matches the whole text, alternatives too', () => {
    expect(matches('linear', 'linear1')).toBe(false)
    expect(matches('inear1', 'linear1')).toBe(false)
    expect(matches('a|bc', 'abc')).toBe(false)
    expect(matches('a|bc', 'bc')).toBe(true)
    expect(matches('', '')).toBe(true)
  })

  // Each as Python's re.fullmatch answers.
  it.each([
    [String.raw`layers\.\d+\.(q|k|v)_proj`, 'layers.11.k_proj', true],
    [String.raw`layers\.\d+`, 'layersx1', false],
    ['(?P<side>up|down)_(?P=side)', 'up_up', true],
    ['(?P<side>up|down)_(?P=side)', 'up_down', false],
    ['(?i)Up', 'uP', true],
    ['(?s)a.b', 'a\nb', true],
    ['(?#all)up', 'up', true],
    [String.raw`\Aup\Z`, 'up', true],
    ['[]x]+', ']x]', true],
    ['[^]x]', ']', false],
    [String.raw`[\w.\-]+`, 'a-b.c', true],
    ['a{,2}', 'aa', true],
    ['a{,2}', 'aaa', false],
    ['a{2}', 'aa', true],
    ['a{x}', 'a{x}', true],
    ['(?!norm).*', 'up', true],
    ['(?!norm).*', 'norm', false],
    ['.*(?<!norm)', 'layer.norm', false],
    [String.raw`a\+?`, 'a+', true],
  ])('%s on %j is %j', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  it.each([
    ['a++', 'a possessive quantifier'],
    ['a{2}+', 'a possessive quantifier'],
    ['(?>a)', '(?>a'],
    ['(a)(?(1)b|c)', '(?(1'],
    ['(?i:a)b', '(?i:'],
    ['(?x)a b', "the flag 'x'"],
    [String.raw`\N{BULLET}`, String.raw`\N`],
    [String.raw`[\pL]`, String.raw`\p`],
  ])('refuses %s', (pattern, got) => {
    expect(() => fullMatchPattern(pattern)).toThrow(
      `[@ao/quantize] Expected a regular expression that JavaScript has, in 're:${pattern}', got ${got}. Write it with classes, groups, alternatives and plain quantifiers.`,
    )
  })

  // Each as Python's re.fullmatch answers.
  it.each([
    ['(?:a*)*', 'aaa', true],
    ['(?:a*)*b', 'aaa', false],
    ['(?:|a)+', 'aa', true],
    ['a{2,3}', 'aaaa', false],
    ['a{2,}', 'aaaa', true],
    ['a{0}b', 'b', true],
    ['a*?b+?', 'aabb', true],
    ['(a|ab)(c|bcd)', 'abcd', true],
    [String.raw`\bup\b.\Bdown`, 'up.down', false],
    [String.raw`\bup\b\.\bdown`, 'up.down', true],
    ['^a$|^b$', 'b', true],
    ['(?m)a\n^b', 'a\nb', true],
    ['a\n^b', 'a\nb', false],
    ['(?=.*q)(?!.*norm).+', 'a.q_proj', true],
    ['(?=.*q)(?!.*norm).+', 'a.q_norm', false],
    ['(?:(?!b).)*', 'aac', true],
    ['(?:(?!b).)*', 'abc', false],
    ['.*(?<=up)_proj', 'mlp.up_proj', true],
    ['.*(?<=up)_proj', 'mlp.down_proj', false],
    ['(?=(?P<x>a+))(?P=x)b', 'aab', true],
    ['(a)?b(?:\\1|c)', 'bc', true],
    ['(a)?b\\1', 'b', false],
    ['(?i)(a)\\1', 'aA', true],
    ['(a*)\\1', 'aaaa', true],
    ['(a*)\\1', 'aaa', false],
    ['[[]a]]', '[a]]', true],
    ['[a-c}{]+', 'b{}', true],
    ['a]}', 'a]}', true],
    [String.raw`\x61\u0062[\x63]`, 'abc', true],
    ['(?:(?:a{1,2}){2}){2}', 'aaaa', true],
  ])('%s on %j is %j, too', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  it('agrees with RegExp on any expression of a few kinds', () => {
    const letter = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '^', '$', '\\b')
    const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
      pattern: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        letter,
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => a + b),
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
        fc
          .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,}', '*?'))
          .map(([a, mark]) => `(?:${a})${mark}`),
        fc
          .tuple(fc.constantFrom('?=', '?!', '?<=', '?<!'), tie('pattern'))
          .map(([mark, a]) => `(${mark}${a})`),
      ),
    }))
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 6 }),
        (p, text) => {
          expect(matches(p, text)).toBe(new RegExp(`^(?:${p})$`).test(text))
        },
      ),
      { numRuns: 2000 },
    )
  })

  // RegExp takes time that doubles with each letter, or grows with a high power of their number.
  const names = 'a'.repeat(200)
  it.each([
    '(a+)+b',
    '(a|a)*b',
    '(a|aa)+b',
    '(?:a?){60}a{60}b',
    '(.*)*b',
    '(?:.*.*)*b',
    'a*a*a*a*a*a*a*a*b',
    '(?=(a+)+b)a',
    '(?!(a+)+b)a',
    '.*(?<=(?:a+)+b)',
    String.raw`(\w+\.?)+!`,
    '((a{1,9}){1,9}){1,9}b',
  ])('%s does not match in time that is bounded', (pattern) => {
    expect(matches(pattern, names)).toBe(false)
  })

  it.each([
    [
      '(a*)(a*)(a*)(a*)(a*)\\1\\2\\3\\4\\5b',
      names,
      'more than 1000000 states on a name that begins',
    ],
    ['(?:(?:a{1000}){1000}){1000}', 'a', 'more than 5000 parts, repetitions written out'],
    ['(?:(?:){5000}){5000}', 'a', 'more than 5000 parts'],
    ['a{1000000000}', 'a', 'more than 5000 parts'],
    [`${'('.repeat(300)}a${')'.repeat(300)}`, 'a', 'more than 200 groups within each other'],
    ['(a)\\2', 'a', 'a reference to no group'],
  ])('refuses %s, which would take too much', (pattern, text, got) => {
    expect(() => matches(pattern, text)).toThrow(got)
  })

  it('refuses what is no expression', () => {
    expect(() => fullMatchPattern('(a')).toThrow("in 're:(a', got Invalid regular expression")
    expect(() => fullMatchPattern('[a')).toThrow("in 're:[a'")
  })
})

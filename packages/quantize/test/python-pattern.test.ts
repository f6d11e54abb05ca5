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

  it('refuses what is no expression', () => {
    expect(() => fullMatchPattern('(a')).toThrow("in 're:(a', got Invalid regular expression")
    expect(() => fullMatchPattern('[a')).toThrow("in 're:[a'")
  })
})

import { describe, expect, it } from 'vitest'
import type { Json } from '@ao/base-tensor'
import fc from 'fast-check'
import { pythonJson } from '../src/python-json.ts'
import { messageOf } from './helpers.ts'

describe('python-json', () => {
  // Right sides: json.dumps of Python 3.
  it.each<[Json, string]>([
    [{ a: [1, 2.5, null, true, false], b: {} }, '{"a": [1, 2.5, null, true, false], "b": {}}'],
    [[], '[]'],
    [
      'é\u007f\u2028😀"\\/\b\f\n\r\t\u0001',
      '"\\u00e9\\u007f\\u2028\\ud83d\\ude00\\"\\\\/\\b\\f\\n\\r\\t\\u0001"',
    ],
    [1e-5, '1e-05'],
    [1.5e-7, '1.5e-07'],
    [0.0001, '0.0001'],
    [0.00012, '0.00012'],
    [1e-100, '1e-100'],
    [-0.25, '-0.25'],
    [2 ** 53, '9007199254740992'],
    [1e22, '10000000000000000000000'],
    [448, '448'],
  ])('%j', (value, text) => {
    expect(pythonJson(value)).toBe(text)
  })

  it('gives back any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(pythonJson(value as Json))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('refuses numbers that JSON has not', async () => {
    expect(await messageOf(() => pythonJson(NaN))).toContain('a number that JSON can hold, got NaN')
  })
})

import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withoutMember } from '../src/quantize/json-text.ts'
import { MODEL } from './checkpoints.ts'
import { aoJson, temporaryFolder } from './run-cli.ts'

describe('withoutMember', () => {
  it('takes out a member wherever and however often it stands, and no other character', () => {
    expect(withoutMember('{"a": 0.0,\n "q": null,\n "b": {"q": 1}}', 'q')).toBe(
      '{"a": 0.0,\n "b": {"q": 1}}\n',
    )
    expect(
      withoutMember('{\n  "q": [1, {"}": ","}],\n  "a": "\\"q\\": 1",\n  "q": 2\n}\n', 'q'),
    ).toBe('{\n  "a": "\\"q\\": 1"\n}\n')
    expect(withoutMember('{"\\u0071": 1}', 'q')).toBe('{}\n')
    expect(withoutMember(' {"a": "q"}\n', 'q')).toBe(' {"a": "q"}\n')
  })

  it('gives what JSON.parse gives without it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('q', 'a', '"', '{', 'b'), fc.jsonValue()),
        (value) => {
          const { q: _, ...others } = value
          for (const indent of [0, 2]) {
            const text = JSON.stringify(value, null, indent)
            expect(JSON.parse(withoutMember(text, 'q'))).toEqual(JSON.parse(JSON.stringify(others)))
          }
        },
      ),
    )
  })
})

it.each([
  '"quantization_config": null,',
  '"quantization_config": {}, "quantization_config": null,',
])('config.json with %s gets one quantization_config', async (members) => {
  const folder = join(temporaryFolder(), 'model')
  cpSync(MODEL, folder, { recursive: true })
  const text = readFileSync(join(MODEL, 'config.json'), 'utf8')
  writeFileSync(join(folder, 'config.json'), text.replace('{', `{${members}`))
  const out = join(folder, '..', 'out')
  await aoJson(['quantize', folder, '--config', 'int8', '--out', out])
  const written = readFileSync(join(out, 'config.json'), 'utf8')
  expect(written.match(/"quantization_config"/g)).toHaveLength(1)
  const { quantization_config: own, ...others } = JSON.parse(written)
  expect(own.quant_method).toBe('torchao')
  expect(others).toEqual(JSON.parse(text))
})

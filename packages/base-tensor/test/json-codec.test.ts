import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  booleanCodec,
  decodeFields,
  dtypeCodec,
  encodeFields,
  enumCodec,
  FormatError,
  integerCodec,
  isJsonObject,
  isStoredDType,
  jsonType,
  listCodec,
  narrowDTypeCodec,
  numberCodec,
  optionalCodec,
  positiveIntegerCodec,
  recordCodec,
  rejectJson,
  STORED_DTYPES,
  stringCodec,
  toSnakeCase,
  unionCodec,
  type DType,
  type Json,
  type JsonCodec,
  decodeJson,
  encodeJson,
} from '@ao/base-tensor'
import { messageOf, thrownBy } from './support.ts'

type Mapping = 'SYMMETRIC' | 'ASYMMETRIC'
interface Options {
  readonly groupSize: number
  readonly mapping: Mapping
  readonly eps: number | undefined
  readonly blockSize: readonly number[]
  readonly dtype: DType
}

const mappingCodec = enumCodec<Mapping>('MappingType', ['SYMMETRIC', 'ASYMMETRIC'])
const optionsCodec: JsonCodec<Options> = recordCodec<Options>('Options', {
  groupSize: { jsonName: 'group_size', codec: integerCodec },
  mapping: { jsonName: 'mapping_type', codec: mappingCodec, fallback: 'SYMMETRIC' },
  eps: { jsonName: 'eps', codec: optionalCodec(numberCodec), fallback: undefined },
  blockSize: { jsonName: 'block_size', codec: listCodec(integerCodec) },
  dtype: { jsonName: 'dtype', codec: dtypeCodec },
})

const options: Options = {
  groupSize: 32,
  mapping: 'ASYMMETRIC',
  eps: undefined,
  blockSize: [1, 32],
  dtype: 'bfloat16',
}

const data = {
  group_size: 32,
  mapping_type: { _type: 'MappingType', _data: 'ASYMMETRIC' },
  eps: null,
  block_size: [1, 32],
  dtype: { _type: 'torch.dtype', _data: 'bfloat16' },
}

describe('records', () => {
  it('are written in both dialects', () => {
    expect(encodeJson(optionsCodec, options, 'metadata')).toEqual({ _type: 'Options', _data: data })
    expect(encodeJson(optionsCodec, options, 'config')).toEqual({
      _type: 'Options',
      _version: 1,
      _data: data,
    })
    expect(Object.keys(encodeJson(optionsCodec, options, 'config') as object)).toEqual([
      '_type',
      '_version',
      '_data',
    ])
  })

  it('are read from both dialects, and come back frozen', () => {
    for (const dialect of ['metadata', 'config'] as const) {
      const back = decodeJson(optionsCodec, encodeJson(optionsCodec, options, dialect), 'at')
      expect(back).toEqual(options)
      expect(Object.isFrozen(back)).toBe(true)
    }
  })

  it('round trip through text', () => {
    fc.assert(
      fc.property(
        fc.record<Options>({
          groupSize: fc.maxSafeInteger(),
          mapping: fc.constantFrom<Mapping>('SYMMETRIC', 'ASYMMETRIC'),
          eps: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: undefined }),
          blockSize: fc.array(fc.nat()),
          dtype: fc.constantFrom<DType>(...STORED_DTYPES, 'int4', 'uint7'),
        }),
        fc.constantFrom('metadata' as const, 'config' as const),
        (value, dialect) => {
          const text = JSON.stringify(encodeJson(optionsCodec, value, dialect))
          const back = decodeJson(optionsCodec, JSON.parse(text) as Json, 'at')
          expect(back).toEqual({ ...value, eps: value.eps === 0 ? 0 : value.eps })
        },
      ),
    )
  })

  it('take fallbacks for what old files lack, and ignore what new ones add', () => {
    const { mapping_type: _, eps: __, ...old } = data
    expect(
      decodeJson(optionsCodec, { _type: 'Options', _data: { ...old, later: 1 } }, 'at'),
    ).toEqual({
      ...options,
      mapping: 'SYMMETRIC',
    })
  })

  it('of configs know all of their keys, at every depth', () => {
    const fields = { options: { codec: optionsCodec }, list: { codec: listCodec(optionsCodec) } }
    const record = { _type: 'Options', _data: data }
    const slip = { _type: 'Options', _data: { ...data, blocksize: [1] } }
    const read = (json: Json): unknown => decodeFields(fields, json, 'at')
    expect(read({ options: record, list: [record] })).toEqual({ options, list: [options] })
    const known = Object.keys(data).join(', ')
    for (const [json, path, names, key] of [
      [{ options: record, list: [], lists: [] }, 'at', 'options, list', 'lists'],
      [{ options: slip, list: [] }, 'at.options', known, 'blocksize'],
      [{ options: record, list: [record, slip] }, 'at.list[1]', known, 'blocksize'],
    ] as const) {
      expect(messageOf(() => read(json as Json))).toBe(
        `[@ao/base-tensor] Expected ${path} to have ${names}, and no other, got ${key}.`,
      )
    }
    expect(decodeJson(optionsCodec, slip, 'at')).toEqual(options)
  })

  it('do not take inherited keys for fields', () => {
    const fields = { toString: { jsonName: 'toString', codec: stringCodec, fallback: 'mine' } }
    expect(decodeFields<{ toString: string }>(fields as never, {}, 'at').toString).toBe('mine')
    const polluting = JSON.parse('{"__proto__": {"group_size": 1}, "block_size": []}') as Json
    expect(
      messageOf(() => decodeJson(optionsCodec, { _type: 'Options', _data: polluting }, 'at')),
    ).toBe('[@ao/base-tensor] Expected at.group_size to be present, got nothing.')
  })

  it('let build refuse combinations', () => {
    const even = recordCodec<{ n: number }>(
      'Even',
      { n: { jsonName: 'n', codec: integerCodec } },
      ({ n }) => (n % 2 ? rejectJson('n', 'even', n, 'Add one.') : { n }),
    )
    expect(decodeJson(even, { _type: 'Even', _data: { n: 2 } }, 'at')).toEqual({ n: 2 })
    expect(messageOf(() => decodeJson(even, { _type: 'Even', _data: { n: 3 } }, 'at'))).toBe(
      '[@ao/base-tensor] Expected n to be even, got 3. Add one.',
    )
  })

  it('give encodeFields alone where there is no tag', () => {
    expect(
      encodeFields({ a: { jsonName: 'b', codec: booleanCodec } }, { a: true }, 'config'),
    ).toEqual({ b: true })
  })
})

describe('unions', () => {
  type Shape = { type: 'Dot' } | { type: 'Box'; sideLength: number }
  const codec = unionCodec<Shape>({
    Dot: {},
    Box: { sideLength: { codec: positiveIntegerCodec, fallback: 1 } },
  })

  it('are told apart by type, and come back frozen', () => {
    const box = { type: 'Box', sideLength: 3 } as const
    const json = { _type: 'Box', _data: { side_length: 3 } }
    expect(encodeJson(codec, box, 'metadata')).toEqual(json)
    expect(encodeJson(codec, box, 'config')).toEqual({ ...json, _version: 1 })
    expect(decodeJson(codec, json, 'at')).toEqual(box)
    expect(Object.isFrozen(decodeJson(codec, json, 'at'))).toBe(true)
    expect(decodeJson(codec, { _type: 'Box', _data: {} }, 'at')).toEqual({ ...box, sideLength: 1 })
    expect(decodeJson(codec, { _type: 'Dot', _data: { later: 1 } }, 'at')).toEqual({ type: 'Dot' })
  })

  it('have no other members', () => {
    expect(messageOf(() => decodeJson(codec, { _type: 'toString', _data: {} }, 'at'))).toBe(
      '[@ao/base-tensor] Expected at to be one of Dot, Box, got "toString".',
    )
    const flat = { _type: 'Box', _data: { side_length: 0 } }
    expect(messageOf(() => decodeJson(codec, flat, 'at'))).toBe(
      '[@ao/base-tensor] Expected at.side_length to be a positive integer, got 0.',
    )
  })
})

describe('single values', () => {
  it('read an enum by name, tagged or bare', () => {
    expect(decodeJson(mappingCodec, { _type: 'MappingType', _data: 'SYMMETRIC' }, 'at')).toBe(
      'SYMMETRIC',
    )
    expect(decodeJson(mappingCodec, 'ASYMMETRIC', 'at')).toBe('ASYMMETRIC')
  })

  it('read dtypes of tensors only where asked to', () => {
    const stored = narrowDTypeCodec((dtype) => isStoredDType(dtype))
    expect(decodeJson(dtypeCodec, { _type: 'torch.dtype', _data: 'int4' }, 'at')).toBe('int4')
    expect(messageOf(() => decodeJson(stored, { _type: 'torch.dtype', _data: 'int4' }, 'at'))).toBe(
      '[@ao/base-tensor] Expected at to be a dtype that a tensor can have, got "int4".',
    )
    expect(encodeJson(stored, 'int8', 'config')).toEqual({ _type: 'torch.dtype', _data: 'int8' })
  })

  it('name the type of what is tagged', () => {
    expect(jsonType({ _type: 'X' }, 'at')).toBe('X')
    expect([{}, [], null, 'x'].map(isJsonObject)).toEqual([true, false, false, false])
  })

  it('spell names as Python does', () => {
    expect(['actQuantKwargs', 'scale', 'blockSize'].map(toSnakeCase)).toEqual([
      'act_quant_kwargs',
      'scale',
      'block_size',
    ])
  })
})

describe('hostile values', () => {
  const decode = (codec: JsonCodec<unknown>, json: unknown): string =>
    messageOf(() => decodeJson(codec, json as Json, 'file.key'))

  it('are refused with where they stand', () => {
    expect([
      decode(booleanCodec, 1),
      decode(numberCodec, '1'),
      decode(numberCodec, JSON.parse('1e999')),
      decode(integerCodec, 1.5),
      decode(integerCodec, 2 ** 53),
      decode(stringCodec, null),
      decode(listCodec(integerCodec), { length: 3 }),
      decode(listCodec(integerCodec), [1, 2, '3']),
      decode(mappingCodec, 'toString'),
      decode(mappingCodec, { _type: 'Evil', _data: 'SYMMETRIC' }),
      decode(mappingCodec, { _type: 'MappingType', _data: ['SYMMETRIC'] }),
      decode(dtypeCodec, 'float32'),
      decode(dtypeCodec, { _type: 'torch.dtype', _data: '__proto__' }),
      decode(dtypeCodec, { _type: 'torch.dtype' }),
      decode(dtypeCodec, { _type: { _type: 'torch.dtype' }, _data: 'int8' }),
      decode(optionsCodec, null),
      decode(optionsCodec, { _type: 'Options', _data: [1] }),
      decode(optionsCodec, { _type: 'Options', _data: { ...data, block_size: [1, null] } }),
    ]).toMatchInlineSnapshot(`
      [
        "[@ao/base-tensor] Expected file.key to be true or false, got 1.",
        "[@ao/base-tensor] Expected file.key to be a finite number, got "1".",
        "[@ao/base-tensor] Expected file.key to be a finite number, got null.",
        "[@ao/base-tensor] Expected file.key to be an integer, got 1.5.",
        "[@ao/base-tensor] Expected file.key to be an integer, got 9007199254740992.",
        "[@ao/base-tensor] Expected file.key to be a string, got null.",
        "[@ao/base-tensor] Expected file.key to be a list, got {"length":3}.",
        "[@ao/base-tensor] Expected file.key[2] to be an integer, got "3".",
        "[@ao/base-tensor] Expected file.key to be one of SYMMETRIC, ASYMMETRIC, got "toString".",
        "[@ao/base-tensor] Expected file.key to be of type MappingType, got "Evil".",
        "[@ao/base-tensor] Expected file.key to be one of SYMMETRIC, ASYMMETRIC, got ["SYMMETRIC"].",
        "[@ao/base-tensor] Expected file.key to be an object with \`_type\`, got "float32".",
        "[@ao/base-tensor] Expected file.key to be a dtype, got "__proto__".",
        "[@ao/base-tensor] Expected file.key to be an object with \`_data\`, got {"_type":"torch.dtype"}.",
        "[@ao/base-tensor] Expected file.key to be an object with \`_type\`, got {"_type":{"_type":"torch.dtype"},"_data":"int8"}.",
        "[@ao/base-tensor] Expected file.key to be an object with \`_type\`, got null.",
        "[@ao/base-tensor] Expected file.key to be an object, got [1].",
        "[@ao/base-tensor] Expected file.key.block_size[1] to be an integer, got null.",
      ]
    `)
  })

  it('are shown in part only', () => {
    expect(decode(booleanCodec, 'x'.repeat(1e6)).length).toBeLessThan(220)
    expect(decode(booleanCodec, new Array(1e6).fill(0))).toContain('got a list of 1000000.')
    let deep: Json = 0
    for (let level = 0; level < 1e5; level++) deep = [deep]
    expect(decode(booleanCodec, deep)).toContain('got JSON that nests too deep to show.')
  })

  it('never escape as anything but a FormatError', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(data)), (json, key) => {
        const hostile = { _type: 'Options', _data: { ...data, [key]: json as Json } }
        try {
          decodeJson(optionsCodec, hostile, 'at')
        } catch (error) {
          expect(FormatError.isInstance(error)).toBe(true)
        }
      }),
    )
    expect(thrownBy(() => rejectJson('at', 'other', undefined)).name).toBe('FormatError')
  })
})

import { describe, expect, it } from 'vitest'
import { isTensorSubclass, type DenseTensor } from '@ao/base-tensor'
import {
  flattenTensorStateDict,
  isMetadataTorchao,
  unflattenTensorStateDict,
} from '../src/index.ts'
import {
  bytes,
  bytesOf,
  counting,
  FORMATS,
  Int4Tensor,
  int8Tensor,
  Int8Tensor,
  messageOf,
  same,
  withEntry,
} from './helpers.ts'

const formats = FORMATS
describe('flattenTensorStateDict', () => {
  it('splits names at their last dot, required parts first', () => {
    const { tensors, metadata } = flattenTensorStateDict([
      ['layers.0.q.weight', int8Tensor(2, 4)],
      ['norm', bytes(1)],
    ])
    expect([...tensors.keys()]).toEqual([
      'layers.0.q._weight_qdata',
      'layers.0.q._weight_scale',
      'layers.0.q._weight_zero_point',
      'norm',
    ])
    expect(metadata.get('norm')).toBe('{"_type": "Tensor"}')
    expect(metadata.get('tensor_names')).toBe('["layers.0.q.weight", "norm"]')
  })

  it('leaves out optional parts that are undefined, and writes undefined attributes as null', () => {
    const { qdata } = int8Tensor(2, 4)
    const tensor = new Int8Tensor({
      qdata,
      scale: counting([2, 1]),
      blockSize: [1, 4],
      dtype: 'float16',
    })
    const { tensors, metadata } = flattenTensorStateDict([['a.weight', tensor]])
    expect([...tensors.keys()]).toEqual(['a._weight_qdata', 'a._weight_scale'])
    expect(metadata.get('a.weight')).toBe(
      '{"_type": "Int8Tensor", "_data": {"act_quant_kwargs": null, "reduce_range": null, "block_size": [1, 4], "dtype": {"_type": "torch.dtype", "_data": "float16"}}, "_tensor_data_names": ["qdata", "scale"]}',
    )
  })

  it('refuses names that cannot be told apart or have no key', async () => {
    expect(await messageOf(() => flattenTensorStateDict([['weight', int8Tensor(1, 1)]]))).toBe(
      '[@ao/safetensors] Expected the name of a quantized tensor to have a dot, got "weight". Name it after its module and parameter, such as `linear.weight`.',
    )
    const twice = '[@ao/safetensors] Expected tensors with names of their own, got '
    expect(
      await messageOf(() =>
        flattenTensorStateDict([
          ['a', bytes(1)],
          ['a', bytes(1)],
        ]),
      ),
    ).toBe(`${twice}"a" twice. Rename one of them.`)
    expect(
      await messageOf(() =>
        flattenTensorStateDict([
          ['a._weight_qdata', bytes(1)],
          ['a.weight', int8Tensor(1, 1)],
        ]),
      ),
    ).toBe(`${twice}"a._weight_qdata" twice. Rename one of them.`)
  })
})

describe('unflattenTensorStateDict', () => {
  const { tensors, metadata } = flattenTensorStateDict([
    ['m.weight', int8Tensor(2, 4, 1)],
    ['m.weight_2', int8Tensor(2, 4, 7)],
    ['m.bias', bytes(5, 6)],
  ])

  it('keeps apart names of which one begins with the other', () => {
    const result = unflattenTensorStateDict(tensors, metadata, { formats })
    expect([...result.tensors.keys()]).toEqual(['m.weight', 'm.weight_2', 'm.bias'])
    expect(result.leftover.size).toBe(0)
    for (const [name, first] of [
      ['m.weight', 1],
      ['m.weight_2', 7],
    ] as const) {
      expect(
        same(bytesOf(result.tensors.get(name) as Int8Tensor), bytesOf(int8Tensor(2, 4, first))),
      ).toBe(true)
    }
  })

  it('leaves over what is incomplete or undescribed, and takes it with the next file', () => {
    const some = new Map([...tensors].filter(([key]) => key !== 'm._weight_2_scale'))
    some.set('other', bytes(1))
    const first = unflattenTensorStateDict(some, metadata, { formats })
    expect([...first.tensors.keys()]).toEqual(['m.weight', 'm.bias'])
    expect([...first.leftover.keys()]).toEqual([
      'm._weight_2_qdata',
      'm._weight_2_zero_point',
      'other',
    ])
    const rest = new Map(first.leftover).set(
      'm._weight_2_scale',
      tensors.get('m._weight_2_scale') as DenseTensor,
    )
    const second = unflattenTensorStateDict(rest, metadata, { formats })
    expect([...second.tensors.keys()]).toEqual(['m.weight_2'])
    expect([...second.leftover.keys()]).toEqual(['other'])
  })

  it('leaves out optional attributes that old files lack', () => {
    const old = withEntry(metadata, 'm.weight', (json) => {
      delete json._data.reduce_range
      return json
    })
    const { tensors: result } = unflattenTensorStateDict(tensors, old, { formats })
    expect((result.get('m.weight') as Int8Tensor).reduceRange).toBeUndefined()
  })

  it('keeps unknown attributes for the next file', () => {
    const newer = withEntry(metadata, 'm.weight', (json) => ({
      ...json,
      _data: { ...json._data, new_thing: [1, { a: 'b' }] },
    }))
    const result = unflattenTensorStateDict(tensors, newer, { formats })
    expect(result.unknownAttributes).toEqual(
      new Map([['m.weight', { new_thing: [1, { a: 'b' }] }]]),
    )
    const again = flattenTensorStateDict(result.tensors, result)
    expect(again.metadata).toEqual(newer)
  })

  it.each([
    ['0.weight:qdata', (name: string, part: string) => `${name}:${part}`],
    ['0.weight_qdata', (name: string, part: string) => `${name}_${part}`],
  ])('reads the keys of early versions: %s', (_, key) => {
    const early = new Map([
      [key('0.weight', 'qdata'), counting([2, 4], 'int8')],
      [key('0.weight', 'scale'), counting([2, 1], 'float32')],
      [key('0.weight', 'zero_point'), counting([2, 1], 'int8')],
      ['0.bias:_data', bytes(1, 2)],
    ])
    const named = new Map([
      ['0.weight', metadata.get('m.weight') as string],
      ['0.bias', '{"_type": "Tensor"}'],
      ['tensor_names', '["0.weight", "0.bias"]'],
    ])
    const result = unflattenTensorStateDict(early, named, { formats })
    expect([...result.tensors.keys()]).toEqual(['0.weight', '0.bias'])
    expect(result.leftover.size).toBe(0)
  })

  it('reads descriptions of early versions, which do not list their parts', () => {
    const early = withEntry(metadata, 'm.weight', ({ _type, _data }) => ({ _type, _data }))
    const keys = (names: readonly string[]) =>
      new Map(
        names.map((name) => [`m.weight:${name}`, tensors.get(`m._weight_${name}`) as DenseTensor]),
      )
    const all = unflattenTensorStateDict(keys(['qdata', 'scale', 'zero_point']), early, { formats })
    expect(isTensorSubclass(all.tensors.get('m.weight'))).toBe(true)
    expect(all.leftover.size).toBe(0)
    expect(unflattenTensorStateDict(new Map(), early, { formats }).tensors.size).toBe(0)
  })

  const AGAIN = 'The metadata is damaged: write the file again.'
  const INCOMPLETE = 'The file is incomplete: write it again.'
  const entry = (text: string) =>
    new Map([
      ['m.weight', text],
      ['tensor_names', '["m.weight"]'],
    ])
  const changed = (change: (json: any) => unknown) => withEntry(metadata, 'm.weight', change)
  it.each<[string, Map<string, string>, string]>([
    [
      'no tensor_names',
      new Map(),
      'metadata with tensor_names, got none. The file was not written by torchao: its tensors are plain, use them as they are.',
    ],
    [
      'tensor_names that are no JSON',
      new Map([['tensor_names', '[']]),
      'tensor_names of the metadata to be valid JSON, got ',
    ],
    [
      'tensor_names that are no strings',
      new Map([['tensor_names', '[1]']]),
      `tensor_names of the metadata to be a list of strings, got "[1]". ${AGAIN}`,
    ],
    [
      'a name without an entry',
      new Map([['tensor_names', '["a"]']]),
      'metadata of "a" in the metadata, got none. tensor_names lists that tensor.',
    ],
    [
      'an entry that is a list',
      entry('[]'),
      `the metadata of "m.weight" in the metadata to be an object with \`_type\`, got []. ${AGAIN}`,
    ],
    [
      'a key twice',
      entry('{"_type": "Tensor", "_type": "Int8Tensor"}'),
      'the metadata of "m.weight" in the metadata to name each key once, got "_type" twice.',
    ],
    [
      'no attributes',
      entry('{"_type": "Int8Tensor"}'),
      `\`_data\` in the metadata of "m.weight" in the metadata to be an object, got nothing. ${AGAIN}`,
    ],
    [
      'part names that are numbers',
      changed((json) => ({ ...json, _tensor_data_names: [1] })),
      `\`_tensor_data_names\` in the metadata of "m.weight" in the metadata to be strings, got [1]. ${AGAIN}`,
    ],
    [
      'a class that is not listed',
      changed((json) => ({ ...json, _type: 'MXTensor' })),
      'the class of "m.weight" among `formats` (Int8Tensor, Float8Tensor, IntxUnpackedToInt8Tensor, Int4Tensor, Int4TilePackedTo4dTensor), got "MXTensor". Import MXTensor from the @ao package that has it and add it to `formats`.',
    ],
    [
      'a class that is no name',
      changed((json) => ({ ...json, _type: '__proto__; x' })),
      'Import that class from the @ao package that has it',
    ],
    [
      'no required attribute',
      changed((json) => ({ ...json, _data: {} })),
      `"m.weight" to have the attribute block_size, got none. ${INCOMPLETE}`,
    ],
    [
      'a bad attribute',
      changed((json) => ({ ...json, _data: { ...json._data, block_size: [1, 'x'] } })),
      '"m.weight"._data.block_size[1] to be an integer, got "x".',
    ],
    [
      'a required attribute that is null',
      changed((json) => ({ ...json, _data: { ...json._data, dtype: null } })),
      '"m.weight"._data.dtype to be an object with `_type`, got null.',
    ],
    [
      'no required part',
      changed((json) => ({ ...json, _tensor_data_names: ['qdata'] })),
      `"m.weight" to have the part scale, got none. ${INCOMPLETE}`,
    ],
    [
      'a part of newer versions',
      changed((json) => ({ ...json, _tensor_data_names: ['qdata', 'scale', '2_qdata'] })),
      'the parts of "m.weight" to be those of Int8Tensor (qdata, scale, zero_point), got "2_qdata". A newer kind of file needs a newer version of that package.',
    ],
  ])('refuses %s', async (_, bad, expected) => {
    const message = await messageOf(() => unflattenTensorStateDict(tensors, bad, { formats }))
    expect(message).toMatch(/^\[@ao\/(safetensors|base-tensor)\] Expected /)
    expect(message).toContain(expected)
  })

  it('wraps what a class throws', async () => {
    class Picky extends Int4Tensor {
      constructor(fields: Record<string, unknown>) {
        super(fields)
        throw new TypeError('not like this')
      }
    }
    const qdata = counting([2, 2], 'int8')
    const made = new Int4Tensor({
      qdata,
      scale: qdata,
      zeroPoint: qdata,
      blockSize: [1, 2],
      shape: [2, 4],
    })
    const flat = flattenTensorStateDict([['a.weight', made]])
    expect(
      await messageOf(() =>
        unflattenTensorStateDict(flat.tensors, flat.metadata, { formats: [Picky as never] }),
      ),
    ).toBe(
      '[@ao/safetensors] Expected "a.weight" to make a valid Int4Tensor, got not like this. Its attributes and parts do not fit each other: write the file again.',
    )
  })
})

describe('isMetadataTorchao', () => {
  it.each<[boolean, Record<string, string>]>([
    [true, { tensor_names: '["a"]', a: '{"_type": "Tensor"}' }],
    [true, { tensor_names: '["a"]', a: '{"_type": "Int8Tensor", "_data": {}}', format: 'pt' }],
    [false, {}],
    [false, { format: 'pt' }],
    [false, { tensor_names: '' }],
    [false, { tensor_names: '[]' }],
    [false, { tensor_names: '{}' }],
    [false, { tensor_names: '["a"]' }],
    [false, { tensor_names: '["a"]', a: '{' }],
    [false, { tensor_names: '["a"]', a: '{}' }],
    [false, { tensor_names: '["a", 1]', a: '{"_type": "Tensor"}' }],
  ])('%s: %j', (expected, metadata) => {
    expect(isMetadataTorchao(metadata)).toBe(expected)
    expect(isMetadataTorchao(new Map(Object.entries(metadata)))).toBe(expected)
  })
})

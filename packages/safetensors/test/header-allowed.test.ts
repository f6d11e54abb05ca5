import { describe, expect, it } from 'vitest'
import { type AoError, DTypeError, hostArray } from '@ao/base-tensor'
import { FileError } from '../src/index.ts'
import { handMade, nested, one, openBytes as open, tensor, unknown } from './helpers.ts'

describe('what is allowed', () => {
  it('no tensors, with and without metadata, padded or not', async () => {
    expect((await open(handMade('{}'))).tensors.size).toBe(0)
    expect((await open(handMade('{}      '))).tensors.size).toBe(0)
    expect((await open(handMade('{"__metadata__":{"a":"b"}}\n'))).metadata.get('a')).toBe('b')
  })

  // As the reference implementation allows them.
  it('space before the JSON, metadata of null, and deep values of unknown fields', async () => {
    expect((await open(handMade(' \n{}'))).tensors.size).toBe(0)
    expect((await open(handMade('{"__metadata__": null}'))).metadata.size).toBe(0)
    expect((await open(handMade(nested(125)))).tensors.size).toBe(1)
    expect((await open(handMade(unknown('[null,true,false,-1.5e3,"é\\n",{}]')))).tensors.size).toBe(
      1,
    )
    const zeroFirst = await open(handMade(one('U8', [0, 2 ** 40, 2 ** 40], 0, 0)))
    expect(zeroFirst.tensors.get('a')?.nbytes).toBe(0)
  })

  it('scalars, empty tensors, empty names and keys of other writers', async () => {
    const file = await open(
      handMade(
        `{"":${tensor('U8', [], 0, 1)},"e":${tensor('F32', [0, 7], 1, 1)},"f":${tensor('F32', [0, 2 ** 52], 1, 1)},"n":{"dtype":"U8","shape":[1],"data_offsets":[1,2],"note":{}}}`,
        2,
      ),
    )
    expect([...file.tensors.keys()]).toEqual(['', 'e', 'f', 'n'])
    expect((await file.read('')).shape).toEqual([])
    expect((await file.read('e')).shape).toEqual([0, 7])
  })

  it('names that mean something to JavaScript', async () => {
    const names = ['__proto__', 'constructor', 'toString', '0', '-0', 'hasOwnProperty']
    const entries = names.map((name, i) => `"${name}":${tensor('U8', [1], i, i + 1)}`)
    const file = await open(
      handMade(
        `{"__metadata__":{"__proto__":"p"},${entries.join(',')}}`,
        Uint8Array.from([0, 1, 2, 3, 4, 5]),
      ),
    )
    expect([...file.tensors.keys()]).toEqual(names)
    expect(file.metadata.get('__proto__')).toBe('p')
    for (const [i, name] of names.entries()) {
      expect([...(await file.readBytes(name))]).toEqual([i])
    }
    expect(({} as Record<string, unknown>)['p']).toBeUndefined()
  })

  it('tensors in any order of the JSON', async () => {
    const file = await open(
      handMade(
        `{"b":${tensor('U8', [2], 1, 3)},"a":${tensor('U8', [1], 0, 1)}}`,
        Uint8Array.of(1, 2, 3),
      ),
    )
    expect([...file.tensors.keys()]).toEqual(['a', 'b'])
    expect([...(await file.readBytes('b'))]).toEqual([2, 3])
  })

  it('data that is not aligned to its element size', async () => {
    const data = new Uint8Array(new Float32Array([0, 1.5, -2]).buffer).slice(3)
    const file = await open(
      handMade(`{"x":${tensor('U8', [1], 0, 1)},"f":${tensor('F32', [2], 1, 9)}}`, data),
    )
    expect(await (await file.read('f')).data()).toEqual(Float32Array.of(1.5, -2))
  })
})

describe('reading', () => {
  it.each([
    ['F64', 8],
    ['U16', 2],
    ['U32', 4],
    ['U64', 8],
    ['C64', 8],
    ['F8_E8M0', 1],
    ['F8_E4M3FNUZ', 1],
  ])('%s is listed and has bytes, but no tensor', async (dtype, size) => {
    const file = await open(handMade(one(dtype, [1], 0, size), size))
    expect(file.tensors.get('a')).toMatchObject({ dtype, shape: [1], nbytes: size })
    expect((await file.readBytes('a')).length).toBe(size)
    const error = await file.read('a').catch((thrown: unknown) => thrown)
    expect(DTypeError.isInstance(error)).toBe(true)
    expect((error as AoError).message).toBe(
      `[@ao/safetensors] Expected "a" in x.safetensors to be of a dtype that tensors can have here (I64, F32, I32, BF16, F16, I16, F8_E4M3, F8_E5M2, I8, U8, BOOL), got ${dtype}. Read it with readBytes(name) and convert it.`,
    )
  })

  it.each([
    ['F4', [2, 3], 3],
    ['F6_E2M3', [4], 3],
    ['F6_E3M2', [8], 6],
  ])('%s counts bits', async (dtype, shape, size) => {
    const file = await open(handMade(one(dtype, shape, 0, size), size))
    expect(file.tensors.get('a')?.nbytes).toBe(size)
  })

  it('says which names there are not', async () => {
    const file = await open(handMade(one('U8', [1], 0, 1), 1))
    const error = await file.read('b').catch((thrown: unknown) => thrown)
    expect(FileError.isInstance(error)).toBe(true)
    expect((error as AoError).message).toBe(
      '[@ao/safetensors] Expected one of the 1 tensors of x.safetensors, got "b". Names are the keys of `tensors`.',
    )
  })

  it('gives memory of its own', async () => {
    const bytes = handMade(one('U8', [1], 0, 1), 1)
    const before = bytes.slice()
    const file = await open(bytes)
    const tensor = await file.read('a')
    hostArray(tensor)[0] = 9
    ;(await file.readBytes('a'))[0] = 9
    expect(bytes).toEqual(before)
  })
})

import { FormatError, ValueError, decodeJson, encodeJson } from '@ao/base-tensor'
import {
  granularityCodec,
  granularityEquals,
  PerAxis,
  PerBlock,
  PerGroup,
  PerRow,
  PerTensor,
  PerToken,
} from '@ao/granularity'
import { describe, expect, it } from 'vitest'

const DISTINCT = [
  PerTensor(),
  PerAxis(0),
  PerAxis(-1),
  PerRow(-1),
  PerRow(1),
  PerToken(),
  PerGroup(32),
  PerGroup(64),
  PerBlock([1, 128]),
  PerBlock([128, 128]),
  PerBlock([128]),
]

describe('values', () => {
  it('are frozen, their lists too, and keep none of the caller', () => {
    const sizes = [1, 128]
    const block = PerBlock(sizes)
    sizes[1] = 64
    expect(block.blockSize).toEqual([1, 128])
    expect(Object.isFrozen(block.blockSize)).toBe(true)
    for (const value of DISTINCT) expect(Object.isFrozen(value)).toBe(true)
  })

  it('are equal to themselves made again, and to nothing else', () => {
    DISTINCT.forEach((a, i) => {
      DISTINCT.forEach((b, j) => {
        expect(granularityEquals(structuredClone(a), b), `${i} ${j}`).toBe(i === j)
      })
    })
  })

  it('let PerRow run along the last dimension unless told', () => {
    expect(granularityEquals(PerRow(), PerRow(-1))).toBe(true)
  })

  it('refuse numbers that mean nothing', () => {
    expect(() => PerAxis(0.5)).toThrow(ValueError)
    expect(() => PerRow(NaN)).toThrow(
      '[@ao/granularity] Expected an integer for the dim of PerRow, got NaN.',
    )
    expect(() => PerGroup(0)).toThrow(
      '[@ao/granularity] Expected a positive integer for the group size of PerGroup, got 0.',
    )
    expect(() => PerBlock([1, -128])).toThrow(
      '[@ao/granularity] Expected a positive integer for each size of PerBlock, got -128.',
    )
  })
})

describe('granularityCodec', () => {
  it.each([
    [PerTensor(), 'PerTensor', {}],
    [PerAxis(0), 'PerAxis', { axis: 0 }],
    [PerRow(), 'PerRow', { dim: -1 }],
    [PerToken(), 'PerToken', {}],
    [PerGroup(128), 'PerGroup', { group_size: 128 }],
    [PerBlock([1, 128]), 'PerBlock', { block_size: [1, 128] }],
  ])('writes and reads %o in both dialects', (value, _type, _data) => {
    const inMetadata = { _type, _data }
    const inConfig = { _type, _version: 1, _data }
    expect(JSON.stringify(encodeJson(granularityCodec, value, 'metadata'))).toBe(
      JSON.stringify(inMetadata),
    )
    expect(JSON.stringify(encodeJson(granularityCodec, value, 'config'))).toBe(
      JSON.stringify(inConfig),
    )
    expect(decodeJson(granularityCodec, inMetadata, 'x')).toEqual(value)
    expect(decodeJson(granularityCodec, inConfig, 'x')).toEqual(value)
    expect(Object.isFrozen(decodeJson(granularityCodec, inConfig, 'x'))).toBe(true)
  })

  it('reads a PerRow without dim, as written before torchao 0.15', () => {
    expect(decodeJson(granularityCodec, { _type: 'PerRow', _data: {} }, 'x')).toEqual(PerRow(-1))
  })

  it.each([
    ['PerRow', 'Expected x to be an object with `_type`, got "PerRow".'],
    [
      { _type: 'constructor', _data: {} },
      'Expected x to be one of PerTensor, PerAxis, PerRow, PerToken, PerGroup, PerBlock, got "constructor".',
    ],
    [{ _type: 'PerAxis', _data: {} }, 'Expected x.axis to be present, got nothing.'],
    [
      { _type: 'PerGroup', _data: { group_size: -1 } },
      'Expected x.group_size to be a positive integer, got -1.',
    ],
    [
      { _type: 'PerBlock', _data: { block_size: [1, '128'] } },
      'Expected x.block_size[1] to be a positive integer, got "128".',
    ],
  ])('refuses %o', (json, message) => {
    expect(() => decodeJson(granularityCodec, json, 'x')).toThrow(FormatError)
    expect(() => decodeJson(granularityCodec, json, 'x')).toThrow(message)
  })
})

import { ShapeError, ValueError, decodeJson } from '@ao/base-tensor'
import { loadSpecGolden } from '@ao/test-data'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  getBlockSize,
  granularityCodec,
  PerAxis,
  PerBlock,
  PerGroup,
  PerRow,
  PerTensor,
  PerToken,
  reductionParams,
  type Granularity,
} from '@ao/granularity'

const golden = loadSpecGolden('granularity')

function goldenGranularity({ type, ...data }: Record<string, any>): Granularity {
  return decodeJson(granularityCodec, { _type: type, _data: data }, 'golden')
}

describe('against torchao', () => {
  it.each(golden.map((c) => [`${JSON.stringify(c.shape)} ${JSON.stringify(c.granularity)}`, c]))(
    '%s',
    (_, c) => {
      const granularity = goldenGranularity(c.granularity)
      if (c.block_size === undefined) {
        expect(c.error).toBeDefined()
        expect(() => getBlockSize(c.shape, granularity)).toThrow(ShapeError)
        return
      }
      const blockSize = getBlockSize(c.shape, granularity)
      expect(blockSize).toEqual(c.block_size)
      expect(reductionParams(blockSize, c.shape)).toEqual({
        shapeForReduction: c.shape_for_reduction,
        reductionDims: c.reduction_dims,
      })
    },
  )

  it('has all 60 cases', () => expect(golden).toHaveLength(60))
})

describe('getBlockSize', () => {
  it.each([
    [PerTensor(), [3, 3, 10, 10]],
    [PerAxis(0), [1, 3, 10, 10]],
    [PerAxis(1), [3, 1, 10, 10]],
    [PerAxis(-1), [3, 3, 10, 1]],
    [PerRow(), [1, 1, 1, 10]],
    [PerRow(0), [3, 1, 1, 1]],
    [PerToken(), [1, 1, 1, 10]],
    [PerGroup(2), [1, 1, 1, 2]],
    [PerBlock([5, 2]), [1, 1, 5, 2]],
    [PerBlock([3, 1, 5, 2]), [3, 1, 5, 2]],
  ])('of [3, 3, 10, 10] with %o is %o', (granularity, expected) => {
    expect(getBlockSize([3, 3, 10, 10], granularity)).toEqual(expected)
  })

  it.each([
    [PerAxis(2), 'dimension in -2..1, got 2.'],
    [PerRow(-3), 'dimension in -2..1, got -3.'],
    [
      PerGroup(5),
      '[@ao/granularity] Expected the group size to divide K=16, got 5. Use 2, 4, 8 or 16.',
    ],
    [
      PerBlock([1, 2, 2]),
      '[@ao/granularity] Expected a block of at most 2 dimensions for shape [4, 16], got [1, 2, 2].',
    ],
    [PerBlock([3]), '[@ao/granularity] Expected blocks that divide shape [4, 16], got [1, 3].'],
  ])('of [4, 16] refuses %o', (granularity, message) => {
    expect(() => getBlockSize([4, 16], granularity)).toThrow(ShapeError)
    expect(() => getBlockSize([4, 16], granularity)).toThrow(message)
  })

  it('refuses what is no granularity', () => {
    const unknown = { type: 'PerFortnight' } as never
    expect(() => getBlockSize([4], unknown)).toThrow(ValueError)
    expect(() => getBlockSize([4], unknown)).toThrow(
      '[@ao/granularity] Expected PerTensor, PerAxis, PerRow, PerToken, PerGroup or PerBlock, got {"type":"PerFortnight"}.',
    )
  })
})

describe('reductionParams', () => {
  it.each([
    [
      [3, 3, 2, 10],
      [3, 3, 10, 10],
      [3, 3, 5, 2, 10],
      [0, 1, 3, 4],
    ],
    [[1, 1], [4, 6], [4, 6], []],
    [
      [2, 3],
      [4, 6],
      [2, 2, 2, 3],
      [1, 3],
    ],
    [
      [4, 6],
      [4, 6],
      [4, 6],
      [0, 1],
    ],
    [[1, -1], [4, 6], [4, 6], [1]],
    [[1, 1], [1, 6], [1, 6], []],
  ])('of blocks %o in %o', (blockSize, shape, shapeForReduction, reductionDims) => {
    expect(reductionParams(blockSize, shape)).toEqual({ shapeForReduction, reductionDims })
  })

  it('refuses another rank and blocks that do not divide', () => {
    expect(() => reductionParams([2], [4, 6])).toThrow(
      '[@ao/granularity] Expected a block size of 2 dimensions for shape [4, 6], got [2].',
    )
    expect(() => reductionParams([1, 4], [4, 6])).toThrow(
      '[@ao/granularity] Expected a block size that divides dimension 1 of size 6, got 4.',
    )
    for (const block of [0, -2, 0.5, 1.5, NaN]) {
      expect(() => reductionParams([1, block], [4, 6])).toThrow(ShapeError)
    }
  })

  it('keeps the number of elements, and reduces as many as a block holds', () => {
    const dim = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
    fc.assert(
      fc.property(fc.array(dim, { minLength: 1, maxLength: 4 }), (dims) => {
        const blockSize = dims.map(([block]) => block)
        const shape = dims.map(([block, count]) => block * count)
        const { shapeForReduction, reductionDims } = reductionParams(blockSize, shape)
        expect(product(shapeForReduction)).toBe(product(shape))
        expect(product(reductionDims.map((d) => shapeForReduction[d] as number))).toBe(
          product(blockSize),
        )
      }),
    )
  })
})

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1)
}

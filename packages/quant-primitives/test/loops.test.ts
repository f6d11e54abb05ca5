/** @file The fast loops against the plain ones beside them, bit for bit. */

import {
  fromArray,
  fromFloat32,
  hostFloat32,
  newArray,
  numelOf,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { chooseQparamsAffine, dequantizeAffine, quantizeAffine } from '@ao/quant-primitives'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dequantizeLoop, dequantizeRow, quantizeLoop, quantizeRow } from '../src/affine-rows.ts'
import { blockRange, rangeByValue } from '../src/block-range.ts'
import { blockLayout } from '../src/blocks.ts'
import { mapRows } from '../src/rows.ts'
import { bits } from './golden.ts'

interface Case {
  readonly input: Tensor
  readonly blockSize: readonly number[]
}

const float = fc.oneof(
  fc.float({ min: -300, max: 300, noNaN: true }),
  fc.integer({ min: -600, max: 600 }).map((i) => i / 2), // ties
  fc.float(), // also NaN, infinities and the very small
)

/** Tensors of up to 3 dimensions, with blocks that divide them. */
function blocked(...dtypes: ('float32' | 'float16' | 'bfloat16')[]): fc.Arbitrary<Case> {
  const size = fc.integer({ min: 1, max: 4 })
  return fc.array(fc.tuple(size, size), { minLength: 1, maxLength: 3 }).chain((dims) => {
    const shape = dims.map(([block, count]) => block * count)
    const blockSize = dims.map(([block]) => block)
    const length = numelOf(shape)
    return fc
      .tuple(fc.array(float, { minLength: length, maxLength: length }), fc.constantFrom(...dtypes))
      .map(([values, dtype]) => ({
        input: fromFloat32(Float32Array.from(values), shape, dtype),
        blockSize,
      }))
  })
}

/** One value for each block of `input`. */
function perBlock(
  { input, blockSize }: Case,
  values: readonly number[],
  dtype: StoredDType,
): Tensor {
  const { count } = blockLayout(input.shape, blockSize)
  const list = Float32Array.from({ length: count }, (_, i) => values[i % values.length] as number)
  return fromFloat32(list, [count], dtype)
}

describe('blockRange', () => {
  it('of 16-bit floats by their bits is that by their values', () => {
    fc.assert(
      fc.property(blocked('bfloat16', 'float16'), ({ input, blockSize }) => {
        const layout = blockLayout(input.shape, blockSize)
        const magnitudes = ({ min, max }: ReturnType<typeof blockRange>): number[][] =>
          [min, max].map((ends) => Array.from(ends, (x) => x + 0)) // -0 is 0
        expect(magnitudes(blockRange(input, layout))).toEqual(
          magnitudes(rangeByValue(input, layout)),
        )
      }),
    )
  })

  it('is that of each block looked at alone', () => {
    const input = fromFloat32(
      Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      [4, 6],
      'float32',
    )
    const { min, max } = blockRange(input, blockLayout([4, 6], [2, 3]))
    let block = 0
    for (const row of [0, 2]) {
      for (const column of [0, 3]) {
        const values = hostFloat32(input.narrow(0, row, 2).narrow(1, column, 3))
        expect([min[block], max[block]]).toEqual([Math.min(...values), Math.max(...values)])
        block++
      }
    }
  })
})

describe('quantizeAffine to bytes', () => {
  it('is the plain loop', () => {
    const scales = fc.array(fc.float({ min: Math.fround(1e-3), max: 10, noNaN: true }), {
      minLength: 1,
      maxLength: 5,
    })
    const zeroPoints = fc.array(
      fc.oneof(fc.integer({ min: -128, max: 127 }), fc.integer({ min: -2000, max: 2000 })),
      { minLength: 1, maxLength: 5 },
    )
    const qparamDtypes = fc.constantFrom<[isLikeInput: boolean, zeroPoint: StoredDType]>(
      [false, 'int32'],
      [true, 'int32'],
      [true, 'bfloat16'],
    )
    const target = fc.constantFrom<[StoredDType, number, number]>(
      ['int8', -128, 127],
      ['int8', -8, 7],
      ['uint8', 0, 255],
    )
    fc.assert(
      fc.property(
        blocked('bfloat16', 'float16', 'float32'),
        scales,
        zeroPoints,
        qparamDtypes,
        target,
        (c, steps, zeros, [isLikeInput, zeroPointDtype], [dtype, quantMin, quantMax]) => {
          const { input, blockSize } = c
          const bounds = { quantMin, quantMax }
          const scale = perBlock(c, steps, isLikeInput ? input.dtype : 'float32')
          const zeroPoint = perBlock(c, zeros, zeroPointDtype)
          const layout = blockLayout(input.shape, blockSize)
          const inputDtype = input.dtype as 'float32'
          const loop = quantizeLoop(inputDtype, layout, scale, zeroPoint, bounds)
          const plain = mapRows(input, layout, dtype, (row, block) => quantizeRow(row, block, loop))
          const fast = quantizeAffine(input, blockSize, scale, zeroPoint, dtype, bounds)
          expect(bits(fast)).toEqual(bits(plain))
        },
      ),
    )
  })
})

describe('dequantizeAffine to float32', () => {
  it('is the plain loop', () => {
    const codes = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), {
      minLength: 12,
      maxLength: 12,
    })
    const zeroPoints = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), {
      minLength: 4,
      maxLength: 4,
    })
    fc.assert(
      fc.property(codes, zeroPoints, fc.array(float, { minLength: 4, maxLength: 4 }), (q, z, s) => {
        const input = fromArray(Int32Array.from(q), [4, 3], 'int32')
        const zeroPoint = fromArray(Int32Array.from(z), [4], 'int32')
        const scale = fromFloat32(Float32Array.from(s), [4], 'float32')
        const layout = blockLayout([4, 3], [1, 3])
        const loop = dequantizeLoop('float32', layout, scale, zeroPoint)
        const plain = mapRows(input, layout, 'float32', (row, block) =>
          dequantizeRow(row, block, loop),
        )
        const fast = dequantizeAffine(input, [1, 3], scale, zeroPoint, 'int32')
        expect(bits(fast)).toEqual(bits(plain))
      }),
    )
  })
})

describe('blocks of any shape', () => {
  it('quantize as if each were a tensor of its own', () => {
    fc.assert(
      fc.property(blocked('bfloat16', 'float16', 'float32'), ({ input, blockSize }) => {
        fc.pre(blockSize.some((size) => size > 1))
        const options = { zeroPointDtype: 'int8', eps: 1e-3 } as const
        const whole = chooseQparamsAffine(input, 'ASYMMETRIC', blockSize, 'int8', {
          ...options,
          keepdim: true,
        })
        const q = quantizeAffine(input, blockSize, whole.scale, whole.zeroPoint, 'int8')
        eachBlock(whole.scale.shape, blockSize, (starts) => {
          const cut = (x: Tensor): Tensor =>
            starts.reduce((part, start, d) => part.narrow(d, start, blockSize[d] as number), x)
          const block = cut(input).contiguous()
          const alone = chooseQparamsAffine(block, 'ASYMMETRIC', block.shape, 'int8', options)
          const codes = quantizeAffine(block, block.shape, alone.scale, alone.zeroPoint, 'int8')
          expect(bits(codes)).toEqual(bits(cut(q)))
        })
      }),
    )
  })
})

/** Calls `visit` with the first index of each block along each dimension. */
function eachBlock(
  grid: readonly number[],
  blockSize: readonly number[],
  visit: (starts: readonly number[]) => void,
): void {
  for (let block = 0; block < numelOf(grid); block++) {
    let rest = block
    const starts = newArray('int32', grid.length)
    for (let d = grid.length - 1; d >= 0; d--) {
      starts[d] = (rest % (grid[d] as number)) * (blockSize[d] as number)
      rest = Math.floor(rest / (grid[d] as number))
    }
    visit([...starts])
  }
}

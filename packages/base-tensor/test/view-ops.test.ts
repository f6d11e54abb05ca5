import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  asDense,
  cat,
  chunk,
  fromArray,
  index,
  meta,
  narrow,
  reshape,
  select,
  slice,
  squeeze,
  tensor,
  transpose,
  unsqueeze,
  view,
  zeros,
} from '@ao/base-tensor'
import { messageOf, numbers } from './support.ts'

const matrix = tensor(
  [
    [0, 1, 2],
    [3, 4, 5],
  ],
  { dtype: 'int16' },
)

describe('view ops', () => {
  it('are the methods of the same name', () => {
    expect(numbers(slice(matrix, 1, 0, 3, 2))).toEqual([0, 2, 3, 5])
    expect(numbers(narrow(matrix, -1, -2, 2))).toEqual([1, 2, 4, 5])
    expect(numbers(select(matrix, 0, 1))).toEqual([3, 4, 5])
    expect(numbers(transpose(matrix, 0, 1))).toEqual([0, 3, 1, 4, 2, 5])
    expect(view(matrix, [3, -1]).shape).toEqual([3, 2])
    expect(squeeze(unsqueeze(matrix, -1), 2).shape).toEqual([2, 3])
    expect(squeeze(matrix, 0).shape).toEqual([2, 3])
  })

  it('run on the meta device', () => {
    const planned = zeros([4, 6], 'int8', meta)
    expect(cat([planned, planned], 1).shape).toEqual([4, 12])
    expect(index(planned, [0, 0, 3]).shape).toEqual([3, 6])
    expect(chunk(planned, 2).map(({ shape }) => shape)).toEqual([
      [2, 6],
      [2, 6],
    ])
    expect(reshape(transpose(planned, 0, 1), [-1]).shape).toEqual([24])
  })
})

describe('reshape', () => {
  it('is a view where memory allows, a copy otherwise', () => {
    const window = matrix.narrow(1, 0, 2)
    expect(asDense(reshape(window, [2, 1, 2])).storage).toBe(matrix.storage)
    const copy = asDense(reshape(window, [4]))
    expect(copy.storage).not.toBe(matrix.storage)
    expect(numbers(copy)).toEqual([0, 1, 3, 4])
    expect(messageOf(() => reshape(matrix, [4, -1]))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected a shape of 6 elements, got [4, -1]."`,
    )
  })
})

describe('cat and chunk', () => {
  it('undo each other', () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(shapes, fc.nat(), fc.integer({ min: 1, max: 6 }), (shape, seed, parts) => {
        const dim = seed % shape.length
        const numel = shape.reduce((a, b) => a * b, 1)
        const source = fromArray(
          Int8Array.from({ length: numel }, (_, i) => i),
          shape,
          'int8',
        )
        const chunks = chunk(source, parts, dim)
        expect(chunks.length).toBeLessThanOrEqual(parts)
        const joined = cat(chunks, dim - shape.length)
        expect(joined.shape).toEqual(shape)
        expect(numbers(joined)).toEqual(numbers(source))
        for (const part of chunks) expect(asDense(part).storage).toBe(source.storage)
      }),
    )
  })

  it('refuse what does not join or split', () => {
    const refused = [
      () => cat([]),
      () => cat([matrix, zeros([2, 3])]),
      () => cat([matrix, zeros([2, 2], 'int16')]),
      () => cat([matrix, zeros([2], 'int16')], 1),
      () => chunk(matrix, 0),
      () => chunk(matrix, -1),
      () => chunk(matrix, 1.5),
    ]
    expect(refused.map(messageOf)).toMatchInlineSnapshot(`
      [
        "[@ao/base-tensor] Expected a tensor among the arguments of cat, got none.",
        "[@ao/base-tensor] Expected tensors of one dtype for cat, got int16 and float32.",
        "[@ao/base-tensor] Expected tensors that differ in dimension 0 only, got [2, 3] and [2, 2].",
        "[@ao/base-tensor] Expected tensors that differ in dimension 1 only, got [2, 3] and [2].",
        "[@ao/base-tensor] Expected at least 1 chunk, got 0.",
        "[@ao/base-tensor] Expected at least 1 chunk, got -1.",
        "[@ao/base-tensor] Expected at least 1 chunk, got 1.5.",
      ]
    `)
  })
})

describe('index', () => {
  it('copies rows in the order asked for', () => {
    const rows = asDense(index(matrix, [1, 0, -1]))
    expect(rows.shape).toEqual([3, 3])
    expect(numbers(rows)).toEqual([3, 4, 5, 0, 1, 2, 3, 4, 5])
    expect(rows.storage).not.toBe(matrix.storage)
    expect(index(matrix, []).shape).toEqual([0, 3])
    expect(messageOf(() => index(matrix, [2]))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected an index in -2..1, got 2."`,
    )
  })
})

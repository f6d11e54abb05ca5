import {
  cat,
  chunk,
  hostArray,
  index,
  linear,
  narrow,
  ShapeError,
  UnsupportedOpError,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import { PerBlock, PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
import { sqnr } from '@ao/test-kit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Int8Tensor, QuantizeTensorToInt8Kwargs } from '../src/index.ts'
import { viewBlockSize } from '@ao/granularity'
import { elements, randn } from '@ao/test-tensors'

const quantize = (shape: readonly number[], granularity: Granularity, seed = 1): Int8Tensor =>
  Int8Tensor.fromHp(randn(shape, { seed }), { granularity })

/** Checks the law of views, and that parts still fit each other. */
function expectLaw(weight: Tensor, change: (tensor: Tensor) => Tensor): Int8Tensor {
  const view = change(weight) as Int8Tensor
  const values = change((weight as Int8Tensor).dequantize())
  expect(view.shape).toEqual(values.shape)
  expect(view.qdata.shape).toEqual(values.shape)
  expect(view.scale.shape).toEqual(view.shape.map((size, d) => size / view.blockSize[d]!))
  expect(view.zeroPoint?.shape).toEqual(view.scale.shape)
  expect(elements(view.dequantize())).toEqual(elements(values))
  return view
}

const granularities = fc.constantFrom(
  PerRow(),
  PerTensor(),
  PerGroup(4),
  PerBlock([2, 4]),
  PerRow(0),
)
const weights = fc
  .tuple(
    fc.integer({ min: 2, max: 3 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    granularities,
    fc.boolean(),
  )
  .map(([experts, rows, groups, granularity, is3d]) => {
    const shape = [2 * rows, 4 * groups]
    return quantize(is3d ? [experts, ...shape] : shape, granularity)
  })

/** Applies a view, or checks that it was refused for its blocks. */
function lawOrRefusal(weight: Tensor, change: (tensor: Tensor) => Tensor): Tensor {
  try {
    return expectLaw(weight, change)
  } catch (error) {
    if (!ShapeError.isInstance(error) && !UnsupportedOpError.isInstance(error)) throw error
    expect(error.package).toBe('@ao/int8')
    return weight
  }
}

describe('views in any order keep the law or are refused', () => {
  it('slice, select, transpose, unsqueeze, squeeze and index', () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom('slice', 'select', 'transpose', 'unsqueeze', 'squeeze', 'index'),
        dim: fc.nat(3),
        a: fc.nat(15),
        b: fc.nat(15),
      }),
      { maxLength: 5 },
    )
    fc.assert(
      fc.property(weights, steps, (weight, path) => {
        let view: Tensor = weight
        for (const { kind, dim, a, b } of path) {
          if (view.ndim === 0) break
          const d = dim % view.ndim
          const size = view.shape[d]!
          view = lawOrRefusal(view, (tensor) => {
            switch (kind) {
              case 'slice':
                return tensor.slice(d, a % size, (a % size) + 1 + (b % size))
              case 'select':
                return view.ndim < 2 ? tensor : tensor.select(d, (a % size) - (b % 2) * size)
              case 'transpose':
                return tensor.transpose(d, b % tensor.ndim)
              case 'unsqueeze':
                return tensor.unsqueeze(d)
              case 'squeeze':
                return tensor.squeeze(d)
              default:
                return index(
                  tensor,
                  [a, b, a].map((row) => row % tensor.shape[0]!),
                )
            }
          })
        }
      }),
      { numRuns: 500 },
    )
  })

  it('view', () => {
    const shapes = fc.tuple(weights, fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 3 }))
    fc.assert(
      fc.property(shapes, ([weight, sizes]) => {
        lawOrRefusal(weight, (tensor) => {
          const known = sizes.reduce((product, size) => product * size, 1)
          return tensor.numel % known === 0 ? tensor.view([...sizes, -1]) : tensor
        })
      }),
      { numRuns: 500 },
    )
  })

  it('refuses no view that blocks allow', () => {
    // A block size exists just when all blocks are stretches of the new shape: compare by counting.
    expect(viewBlockSize([2, 6, 8], [1, 1, 8], [12, 8])).toEqual([1, 8])
    expect(viewBlockSize([12, 8], [1, 8], [2, 6, 8])).toEqual([1, 1, 8])
    expect(viewBlockSize([2, 6, 8], [1, 6, 1], [2, 6, 2, 4])).toEqual([1, 6, 1, 1])
    expect(viewBlockSize([2, 6, 8], [1, 6, 8], [2, 48])).toEqual([1, 48])
    expect(viewBlockSize([4, 8], [1, 4], [4, 2, 4])).toEqual([1, 1, 4])
    expect(viewBlockSize([4, 8], [1, 4], [4, 4, 2])).toEqual([1, 2, 2])
    expect(viewBlockSize([4, 8], [1, 8], [32])).toEqual([8])
    expect(viewBlockSize([4, 8], [2, 4], [32])).toBeUndefined()
    expect(viewBlockSize([4, 6], [1, 6], [6, 4])).toBeUndefined()
    expect(viewBlockSize([1, 4], [1, 4], [4, 1, 1])).toEqual([4, 1, 1])
  })
})

describe('slices', () => {
  it('keep to what shares a scale', () => {
    const rows = quantize([6, 8], PerRow())
    expect(expectLaw(rows, (t) => t.slice(0, 1, 4)).blockSize).toEqual([1, 8])
    expect(expectLaw(rows, (t) => t.slice(1, 3, 6)).blockSize).toEqual([1, 3])
    expect(expectLaw(rows, (t) => t.slice(-1, -3)).blockSize).toEqual([1, 3])
    const whole = quantize([6, 8], PerTensor())
    expect(expectLaw(whole, (t) => t.slice(0, 1, 4)).blockSize).toEqual([3, 8])
    const groups = quantize([6, 8], PerGroup(4))
    expect(expectLaw(groups, (t) => t.slice(1, 4, 8)).blockSize).toEqual([1, 4])
    expect(expectLaw(groups, (t) => t.slice(1, 5, 7)).blockSize).toEqual([1, 2])
  })

  it.each([
    [
      1,
      2,
      6,
      'dimension 1 (size 8) in whole blocks of 4, which share a scale, got 2 to 6. Slice at multiples of 4, or dequantize() first.',
    ],
    [1, 0, 6, 'got 0 to 6'],
    [1, -3, undefined, undefined],
    [1, -5, undefined, 'got 3 to 8'],
    [0, 2, 2, undefined],
    [2, 0, 1, 'a dimension in -2..1, got 2'],
  ])('along %s from %s to %s', (dim, start, end, message) => {
    const groups = quantize([6, 8], PerGroup(4))
    if (message === undefined) expectLaw(groups, (t) => t.slice(dim, start, end))
    else expect(() => groups.slice(dim, start, end)).toThrow(message)
  })

  it('take no steps', () => {
    expect(() => quantize([6, 8], PerRow()).slice(0, 0, 6, 2)).toThrow(
      '[@ao/int8] Expected a slice of step 1, got step 2. Pick rows with index(weight, rows).',
    )
  })

  it('share storage with the weight, so that loaders write through them', () => {
    const weight = quantize([6, 8], PerRow())
    const part = narrow(weight, 0, 2, 3) as Int8Tensor
    for (const name of ['qdata', 'scale', 'zeroPoint'] as const) {
      expect(part[name]?.storage).toBe(weight[name]?.storage)
    }
    const other = quantize([3, 8], PerRow(), 2)
    part.copy_(other)
    expect(elements(weight.qdata.narrow(0, 2, 3))).toEqual(elements(other.qdata))
    expect(elements(weight.scale.narrow(0, 2, 3))).toEqual(elements(other.scale))
  })

  it('along K take their part of the pre-scale, and give partial sums of the whole', () => {
    const hp = randn([16, 32])
    const actPreScale = randn([32], { seed: 3 })
    const weight = Int8Tensor.fromHp(hp, { granularity: PerRow(), actPreScale })
    const x = randn([4, 32], { seed: 2 })
    const halves = [0, 16].map((start) => {
      const part = narrow(weight, 1, start, 16) as Int8Tensor
      expect(elements(part.actPreScale)).toEqual(elements(actPreScale.slice(0, start, start + 16)))
      return hostArray(linear(narrow(x, 1, start, 16), part)) as Float32Array
    })
    const sum = halves[0]!.map((value, i) => value + halves[1]![i]!)
    expect(sqnr(hostArray(linear(x, weight)) as Float32Array, sum)).toBeGreaterThan(120)
    const transposed = narrow(weight.transpose(0, 1), 0, 16, 16) as Int8Tensor
    expect(elements(transposed.actPreScale)).toEqual(elements(actPreScale.slice(0, 16)))
    expect((narrow(weight, 0, 0, 4) as Int8Tensor).actPreScale?.shape).toEqual([32])
  })

  it('of a weight with static activations keep their scale', () => {
    const actQuantScale = randn([1, 1])
    const actQuantKwargs = QuantizeTensorToInt8Kwargs({ granularity: PerTensor() })
    const weight = Int8Tensor.fromHp(randn([8, 8]), {
      granularity: PerRow(),
      actQuantKwargs,
      actQuantScale,
    })
    const part = narrow(weight, 1, 0, 4) as Int8Tensor
    expect(part.actQuantScale).toBe(weight.actQuantScale)
    expect(part.actQuantKwargs).toEqual(actQuantKwargs)
  })
})

describe('scales of activations', () => {
  it('are not joined', () => {
    const actQuantKwargs = QuantizeTensorToInt8Kwargs({ granularity: PerTensor() })
    const options = { granularity: PerRow(), actQuantKwargs }
    const weight = Int8Tensor.fromHp(randn([4, 8]), { ...options, actQuantScale: randn([1, 1]) })
    expect(() => cat([weight, weight])).toThrow('weights without activation scales for cat')
    const joined = cat([Int8Tensor.fromHp(randn([4, 8]), options)])
    expect(joined.shape).toEqual([4, 8])
  })

  it('of one element for all features stay whole in slices', () => {
    const actPreScale = randn([1])
    const weight = Int8Tensor.fromHp(randn([4, 8]), { granularity: PerRow(), actPreScale })
    expect((narrow(weight, 1, 4, 4) as Int8Tensor).actPreScale).toBe(actPreScale)
  })
})

describe('other views', () => {
  it('select experts and rows', () => {
    const experts = quantize([3, 4, 8], PerTensor())
    expect(expectLaw(experts, (t) => t.select(0, 2)).blockSize).toEqual([4, 8])
    expect(expectLaw(experts, (t) => t.select(1, -1)).blockSize).toEqual([3, 8])
    expect(expectLaw(quantize([4, 8], PerGroup(4)), (t) => t.select(1, 5)).blockSize).toEqual([1])
    expect(() => experts.select(0, 3)).toThrow(ShapeError)
  })

  it('pick rows as a copy', () => {
    for (const granularity of [PerRow(), PerTensor(), PerGroup(4)]) {
      const weight = quantize([5, 8], granularity)
      const picked = expectLaw(weight, (t) => index(t, [4, 0, 4]))
      expect(picked.qdata.storage).not.toBe(weight.qdata.storage)
    }
    expect(() => index(quantize([4, 8], PerBlock([2, 8])), [0])).toThrow(
      '[@ao/int8] Expected rows with scales of their own, or one scale for all, to pick rows, got blocks of [2, 8].',
    )
  })

  it('join chunks', () => {
    for (const granularity of [PerRow(), PerTensor(), PerGroup(4)]) {
      for (const dim of [0, 1, -1]) {
        expectLaw(quantize([6, 8], granularity), (t) => cat(chunk(t, 2, dim), dim))
      }
    }
    const whole = quantize([6, 8], PerRow())
    expect(() => cat([whole, whole.slice(1, 0, 4)])).toThrow('weights of equal attributes for cat')
    expect(() => cat([whole, whole.dequantize()])).toThrow(
      'Expected a weight of the format Int8Tensor',
    )
  })

  it('refuse shapes that would cut blocks', () => {
    expect(() => quantize([4, 6], PerRow()).view([6, 4])).toThrow(
      '[@ao/int8] Expected a shape that keeps blocks of [1, 6] in [4, 6] whole, got [6, 4]. Call dequantize() to work on the plain tensor.',
    )
    const transposed = quantize([2, 4, 6], PerRow()).transpose(1, 2)
    expect(() => transposed.view([12, 4])).toThrow('Call contiguous() first.')
  })

  it('refuse to lose a pre-scale', () => {
    const weight = Int8Tensor.fromHp(randn([4, 8]), {
      granularity: PerRow(),
      actPreScale: randn([8]),
    })
    const views: ((tensor: Tensor) => Tensor)[] = [
      (t) => t.view([8, 4]),
      (t) => t.view([32]),
      (t) => t.select(1, 0),
      (t) => cat([t, t]),
    ]
    for (const change of views.slice(1)) expect(() => change(weight)).toThrow(UnsupportedOpError)
    expectLaw(weight, (t) => t.view([2, 2, 8]))
  })
})

it('moves what a view holds only, not the whole weight', () => {
  const part = quantize([6, 8], PerRow()).slice(0, 0, 2).contiguous() as Int8Tensor
  expect((part.clone().qdata as DenseTensor).storage.length).toBe(16)
})

import {
  fromArray,
  fromFloat16Bits,
  hostArray,
  meta,
  numelOf,
  tensor,
  zeros,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { elements, randn } from '@ao/test-tensors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BAND_ROWS,
  Int4PreshuffledTensor,
  LANE_CODES,
  packInt4Preshuffled,
  unpackInt4Preshuffled,
} from '../src/index.ts'

function codesOf(shape: readonly number[], code: (i: number) => number) {
  return fromArray(
    Uint8Array.from({ length: numelOf(shape) }, (_, i) => code(i)),
    shape,
    'uint8',
  )
}

/** Whether two tensors of bytes are equal; matchers that compare element by element are slow. */
function same(a: Tensor, b: Tensor): boolean {
  return Buffer.compare(hostArray(a) as Uint8Array, hostArray(b) as Uint8Array) === 0
}

const words = (qdata: Tensor): number[] => elements(qdata).map((word) => word >>> 0)

describe('a piece', () => {
  it('has even k in the low halves of its words and odd k in the high ones', () => {
    // k = 0..15 hold their own number; k = 16..31 hold 15 - (k - 16).
    const codes = codesOf([1, 32], (k) => (k < 16 ? k : 31 - k))
    const qdata = packInt4Preshuffled(codes)
    expect(qdata.shape).toEqual([4, 4])
    expect(words(qdata).slice(0, 4)).toEqual([0x75316420, 0xfdb9eca8, 0x8ace9bdf, 0x02461357])
  })

  it('gives neighbours as float16 by one mask, one or and one bitcast', () => {
    const [word] = words(packInt4Preshuffled(codesOf([1, 32], (k) => (7 * k) % 16)))
    for (let j = 0; j < 4; j++) {
      const pair = (((word! >>> (4 * j)) & 0x000f000f) | 0x64006400) >>> 0
      const halves = [fromFloat16Bits(pair & 0xffff), fromFloat16Bits(pair >>> 16)]
      expect(halves).toEqual([1024 + ((14 * j) % 16), 1024 + ((14 * j + 7) % 16)])
    }
  })
})

describe('packing', () => {
  it('gives each place four bits of its own', () => {
    const shape = [5, 288]
    const taken = new Int32Array(8 * 36)
    for (let at = 0; at < numelOf(shape); at++) {
      const qdata = hostArray(packInt4Preshuffled(codesOf(shape, (i) => (i === at ? 15 : 0))))
      const index = (qdata as Int32Array).findIndex((word) => word !== 0)
      const bits = qdata[index] as number
      expect(bits & taken[index]!).toBe(0)
      taken[index]! |= bits
    }
    const nibbles = taken.reduce((sum, word) => {
      for (let bit = 0; bit < 32; bit++) sum += ((word >>> bit) & 1) / 4
      return sum
    }, 0)
    expect(nibbles).toBe(numelOf(shape))
  })

  it('brings back each code from each place', () => {
    for (let code = 0; code < 16; code++) {
      const codes = codesOf([5, 288], (i) => (i + code) & 15)
      expect(same(unpackInt4Preshuffled(packInt4Preshuffled(codes), 5), codes)).toBe(true)
    }
  })

  it('is a bijection for any rows, columns and experts', () => {
    const shapes = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 11 }))
    const chunks = fc.integer({ min: 1, max: 19 })
    fc.assert(
      fc.property(shapes, chunks, fc.nat(), ([experts, n], count, seed) => {
        const shape = [experts, n, count * LANE_CODES]
        const codes = codesOf(shape, (i) => ((i * 2654435761 + seed) >>> 7) & 15)
        const qdata = packInt4Preshuffled(codes)
        expect(qdata.shape).toEqual([experts, Math.ceil(n / BAND_ROWS) * 4, count * 4])
        expect(same(unpackInt4Preshuffled(qdata, n), codes)).toBe(true)
        const planned = packInt4Preshuffled(zeros(shape, 'uint8', meta))
        expect([planned.shape, planned.dtype]).toEqual([qdata.shape, 'int32'])
      }),
    )
  })

  it('pads rows with zeros, and K with nothing', () => {
    const weight = Int4PreshuffledTensor.fromHp(randn([5, 2816], { dtype: 'bfloat16' }), {
      granularity: PerGroup(128),
    })
    expect(weight.qdata.shape).toEqual([8, 352])
    expect(weight.groupScale.shape).toEqual([2, 22, 4])
    for (let row = 0; row < 8; row++) {
      expect(elements(weight.qdata.select(0, row)).some((word) => word !== 0)).toBe(row < 5)
    }
    const scales = elements(weight.groupScale.select(0, 1))
    expect(scales.every((scale, i) => (scale === 0) === i % 4 > 0)).toBe(true)
  })
})

/**
 * A decode kernel of `lanes` lanes that walk along K, each with 32 inputs for four rows. It knows the
 * documented numbers only; `loads` gets the byte of each 16-byte load in its order.
 */
function decode(
  weight: Int4PreshuffledTensor,
  x: Float32Array,
  lanes: number,
  loads: number[][],
): Float32Array {
  const [n, k] = weight.shape as [number, number]
  const groupSize = weight.blockSize[1] as number
  const qdata = hostArray(weight.qdata) as Int32Array
  const scale = hostArray(weight.groupScale) as Float32Array
  const zero = hostArray(weight.groupZero!) as Float32Array
  const y = new Float32Array(Math.ceil(n / 4) * 4)
  const chunks = k / 32
  for (let band = 0; band < y.length / 4; band++) {
    for (let first = 0; first < chunks; first += lanes) {
      const active = Math.min(lanes, chunks - first)
      for (let row = 0; row < 4; row++) {
        const load: number[] = []
        for (let lane = 0; lane < active; lane++) {
          const chunk = first + lane
          const piece = (band * 4 + row) * chunks + chunk
          load.push(piece * 16)
          let sum = 0
          let inputs = 0
          for (let i = 0; i < 4; i++) {
            const word = qdata[piece * 4 + i] as number
            for (let j = 0; j < 4; j++) {
              const pair = (((word >>> (4 * j)) & 0x000f000f) | 0x64006400) >>> 0
              const at = chunk * 32 + 8 * i + 2 * j
              sum += (fromFloat16Bits(pair & 0xffff) - 1032) * x[at]!
              sum += (fromFloat16Bits(pair >>> 16) - 1032) * x[at + 1]!
              inputs += x[at]! + x[at + 1]!
            }
          }
          const group = Math.floor((chunk * 32) / groupSize)
          const at = (band * (k / groupSize) + group) * 4 + row
          y[band * 4 + row]! += sum * scale[at]! + inputs * zero[at]!
        }
        loads.push(load)
      }
    }
  }
  return y.subarray(0, n)
}

describe('the order of a decode kernel', () => {
  it.each([
    [6, 768, 32, 32],
    [4, 2048, 64, 32],
    [7, 320, 32, 8],
    [8, 544, 32, 16],
  ])('N %i, K %i, groups of %i, %i lanes', (n, k, groupSize, lanes) => {
    // Whole numbers and powers of two keep all sums exact: the results must be equal.
    const codes = codesOf([n, k], (i) => (i * 2654435761) >>> 28)
    const groups = [k / groupSize, n]
    const filled = (value: (i: number) => number): Tensor =>
      tensor(
        Float32Array.from({ length: numelOf(groups) }, (_, i) => value(i)),
        { shape: groups },
      )
    const scale = filled((i) => 2 ** ((i * 7) % 5))
    const values = filled((i) => (i % 9) - 4)
    const zeroPoint = { domain: 'FLOAT', values } as const
    const weight = Int4PreshuffledTensor.fromCodes({
      ...{ codes, scale, zeroPoint, groupSize },
      dtype: 'float32',
    })
    const x = Float32Array.from({ length: k }, (_, i) => ((i * 11) % 15) - 7)
    const loads: number[][] = []
    const y = decode(weight, x, lanes, loads)
    const dense = elements(weight.dequantize())
    for (let row = 0; row < n; row++) {
      expect(y[row]).toBe(x.reduce((sum, value, i) => sum + value * dense[row * k + i]!, 0))
    }
    for (const load of loads) {
      load.forEach((at, lane) => expect(at).toBe(load[0]! + 16 * lane))
    }
    const all = loads.flat()
    expect(new Set(all).size).toBe(weight.qdata.nbytes / 16)
    expect(Math.max(...all)).toBe(weight.qdata.nbytes - 16)
  })

  it('reads the four scales of a band beside each other', () => {
    const scale = tensor([
      [1, 2, 3, 4, 5, 6],
      [11, 12, 13, 14, 15, 16],
    ])
    const weight = Int4PreshuffledTensor.fromCodes({
      codes: codesOf([6, 64], () => 8),
      ...{ scale, zeroPoint: undefined, groupSize: 32, dtype: 'float32' },
    })
    expect(elements(weight.groupScale)).toEqual([
      ...[1, 2, 3, 4, 11, 12, 13, 14],
      ...[5, 6, 0, 0, 15, 16, 0, 0],
    ])
  })
})

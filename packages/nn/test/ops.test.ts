import {
  cast,
  fromFloat32,
  hostArray,
  hostFloat32,
  meta,
  roundToBfloat16,
  tensor,
  zeros,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conv2d, gelu, geluTanh, layerNorm, relu, rmsNorm, silu, softmax } from '../src/index.ts'
import { erf } from '../src/erf.ts'

const DTYPES: readonly FloatDType[] = ['float32', 'bfloat16', 'float16']
const values = (t: Tensor): number[] => [...hostFloat32(t)]

describe('erf', () => {
  it('is right to 1e-15', () => {
    // From tables of the error function.
    const known: [number, number][] = [
      [0, 0],
      [1e-10, 1.1283791670955126e-10],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
      [5.9, 1],
      [Infinity, 1],
    ]
    for (const [x, y] of known) {
      expect(erf(x)).toBeCloseTo(y, 14)
      expect(erf(-x)).toBeCloseTo(-y, 14)
    }
    expect(erf(1e-10)).toBe(1.1283791670955126e-10)
    expect(erf(NaN)).toBeNaN()
  })
})

describe('activations', () => {
  it.each([
    ['relu', relu, [0, 0, 0, 1, 3]],
    [
      'silu',
      silu,
      [-0.14227761953270035, -0.2689414213699951, 0, 0.7310585786300049, 2.8577223804673],
    ],
    [
      'gelu',
      gelu,
      [-0.0040496940948951, -0.15865525393145707, 0, 0.8413447460685429, 2.995950305905105],
    ],
    [
      'geluTanh',
      geluTanh,
      [-0.0036373920817729943, -0.15880800939172324, 0, 0.8411919906082768, 2.996362607918227],
    ],
  ] as const)(
    '%s has the values of its formula in each dtype, rounded once',
    (_name, op, expected) => {
      for (const dtype of DTYPES) {
        const out = op(tensor([-3, -1, 0, 1, 3], { dtype }))
        expect(out.dtype).toBe(dtype)
        expect(hostArray(out)).toEqual(hostArray(tensor([...expected], { dtype })))
      }
    },
  )

  it('keeps NaN and does not overflow', () => {
    expect(values(relu(tensor([NaN, -Infinity, Infinity])))).toEqual([NaN, 0, Infinity])
    expect(values(silu(tensor([-1e4, 1e4])))).toEqual([-0, 1e4])
    expect(values(gelu(tensor([-1e4, 1e4])))).toEqual([-0, 1e4])
  })
})

describe('layerNorm', () => {
  it('normalises the last dimensions', () => {
    const x = tensor([
      [1, 2, 3, 4],
      [-1, -1, 1, 1],
    ])
    const y = values(layerNorm(x, [4], tensor([1, 1, 1, 2]), tensor([0, 0, 0, 10]), 0))
    const unit = 1 / Math.sqrt(1.25)
    const expected = [-1.5 * unit, -0.5 * unit, 0.5 * unit, 3 * unit + 10, -1, -1, 1, 12]
    y.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 6))
    const both = values(
      layerNorm(
        tensor([
          [
            [1, 2],
            [3, 4],
          ],
        ]),
        [2, 2],
      ),
    )
    expect(both[0]).toBeCloseTo(-1.5 / Math.sqrt(1.25 + 1e-5), 6)
  })

  it('refuses other shapes', () => {
    expect(() => layerNorm(zeros([2, 3]), [2])).toThrow(
      '[@ao/nn] Expected an input whose last sizes are [2], got [2, 3].',
    )
  })
})

describe('rmsNorm', () => {
  it('rounds to the dtype before it multiplies by the weight', () => {
    const size = 64
    const x = fromFloat32(
      Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1)),
      [1, size],
      'bfloat16',
    )
    const weight = fromFloat32(
      Float32Array.from({ length: size }, (_, i) => 1 + 0.3 * Math.cos(i)),
      [size],
      'bfloat16',
    )
    const xs = values(x)
    const ws = values(weight)
    const rms = Math.sqrt(xs.reduce((sum, v) => sum + v * v, 0) / size + 1e-5)
    const twice = xs.map((v, i) => roundToBfloat16(roundToBfloat16(v / rms) * (ws[i] as number)))
    const once = xs.map((v, i) => roundToBfloat16((v / rms) * (ws[i] as number)))
    expect(values(rmsNorm(x, weight, 1e-5))).toEqual(twice)
    expect(twice).not.toEqual(once)
  })

  it('has the wider dtype of input and weight, as PyTorch multiplies', () => {
    const x = zeros([2, 4], 'bfloat16')
    expect(rmsNorm(x, zeros([4], 'float32'), 1e-6).dtype).toBe('float32')
    expect(rmsNorm(x, zeros([4], 'bfloat16'), 1e-6).dtype).toBe('bfloat16')
  })
})

describe('softmax', () => {
  it('sums to one along any dimension, and stays finite', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), {
          minLength: 24,
          maxLength: 24,
        }),
        fc.integer({ min: -3, max: 2 }),
        (numbers, dim) => {
          const x = tensor(numbers, { shape: [2, 3, 4] })
          const y = softmax(x, dim)
          const last = values(y.transpose(dim, -1))
          const size = x.shape.at(dim) as number
          for (let i = 0; i < last.length; i += size) {
            const sum = last.slice(i, i + size).reduce((a, b) => a + b)
            expect(sum).toBeCloseTo(1, 5)
          }
        },
      ),
    )
    expect(values(softmax(tensor([0, -Infinity, 0])))).toEqual([0.5, 0, 0.5])
    expect(values(softmax(tensor([0, Math.log(3)])))[1]).toBeCloseTo(0.75, 6)
  })
})

describe('conv2d', () => {
  // The definition, one output at a time.
  function direct(
    x: Tensor,
    w: Tensor,
    b: Tensor,
    s: number,
    p: number,
    d: number,
    g: number,
  ): number[] {
    const [batch, , height, width] = x.shape as [number, number, number, number]
    const [outputs, channels, kh, kw] = w.shape as [number, number, number, number]
    const at = (t: Tensor, ...i: number[]): number =>
      hostFloat32(t)[i.reduce((sum, index, k) => sum * (t.shape[k] as number) + index, 0)] as number
    const oh = Math.floor((height + 2 * p - d * (kh - 1) - 1) / s) + 1
    const ow = Math.floor((width + 2 * p - d * (kw - 1) - 1) / s) + 1
    const out: number[] = []
    for (let n = 0; n < batch; n++)
      for (let o = 0; o < outputs; o++)
        for (let y = 0; y < oh; y++)
          for (let z = 0; z < ow; z++) {
            let sum = at(b, o)
            const first = Math.floor(o / (outputs / g)) * channels
            for (let c = 0; c < channels; c++)
              for (let i = 0; i < kh; i++)
                for (let j = 0; j < kw; j++) {
                  const row = y * s - p + i * d
                  const column = z * s - p + j * d
                  if (row < 0 || row >= height || column < 0 || column >= width) continue
                  sum += at(x, n, first + c, row, column) * at(w, o, c, i, j)
                }
            out.push(sum)
          }
    return out
  }

  it('is its definition for every stride, padding, dilation and group count', () => {
    const small = fc.integer({ min: 1, max: 3 })
    fc.assert(
      fc.property(
        fc.record({
          s: small,
          p: fc.integer({ min: 0, max: 2 }),
          d: small,
          g: small,
          kh: small,
          kw: small,
        }),
        ({ s, p, d, g, kh, kw }) => {
          const fill = (...shape: number[]): Tensor =>
            tensor(
              Float32Array.from(
                { length: shape.reduce((a, b) => a * b) },
                (_, i) => ((i * 7) % 11) - 5,
              ),
              { shape },
            )
          const x = fill(2, 2 * g, 7, 8)
          const w = fill(2 * g, 2, kh, kw)
          const b = fill(2 * g)
          const options = { stride: s, padding: p, dilation: d, groups: g }
          // Small integers: every sum is exact.
          expect(values(conv2d(x, w, b, options))).toEqual(direct(x, w, b, s, p, d, g))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('takes directions apart and rounds to the dtype', () => {
    const x = cast(
      tensor([
        [
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
        ],
      ]),
      'bfloat16',
    )
    const w = cast(tensor([[[[1.01]]]]), 'bfloat16')
    const y = conv2d(x, w, undefined, { stride: [1, 2], padding: [1, 0] })
    expect([y.shape, y.dtype]).toEqual([[1, 1, 4, 2], 'bfloat16'])
    const factor = roundToBfloat16(1.01)
    const expected = [0, 0, 1, 3, 4, 6, 0, 0].map((value) => roundToBfloat16(value * factor))
    expect(values(y)).toEqual(expected)
  })

  it('refuses what does not fit', () => {
    expect(() => conv2d(zeros([1, 3, 4, 4]), zeros([2, 2, 1, 1]))).toThrow(
      '[@ao/nn] Expected an input [B, C, H, W] and a weight [O, C / groups, KH, KW] for groups=1, got [1, 3, 4, 4] and [2, 2, 1, 1].',
    )
    expect(() => conv2d(zeros([1, 1, 2, 2]), zeros([1, 1, 3, 3]))).toThrow(
      '[@ao/nn] Expected an image of at least the size of the kernel, got [2, 2] for a kernel of [3, 3].',
    )
  })
})

describe('on the meta device', () => {
  it('all ops give shape and dtype of the reference', () => {
    const cases: ((make: (shape: number[]) => Tensor) => Tensor)[] = [
      (make) => relu(make([2, 3])),
      (make) => silu(make([2, 3])),
      (make) => gelu(make([2, 3])),
      (make) => geluTanh(make([2, 3])),
      (make) => layerNorm(make([2, 3]), [3], make([3]), make([3])),
      (make) => rmsNorm(make([2, 3]), make([3]), 1e-6),
      (make) => softmax(make([2, 3]), 0),
      (make) =>
        conv2d(make([1, 2, 5, 5]), make([4, 2, 3, 3]), make([4]), { stride: 2, padding: 1 }),
    ]
    for (const run of cases) {
      const real = run((shape) => zeros(shape, 'bfloat16'))
      const planned = run((shape) => zeros(shape, 'bfloat16', meta))
      expect([planned.shape, planned.dtype]).toEqual([real.shape, real.dtype])
      expect(planned.device).toBe(meta)
    }
  })
})

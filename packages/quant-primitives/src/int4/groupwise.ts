/**
 * @file Ops that quantize groups along K to 4-bit codes, as the kernels for torchao's plain int4 format
 * do it: in float32 whatever the weight's dtype, with true divisions, and with codes from the scale as it
 * is before its cast to the weight's dtype.
 *
 * Beyond 0.87 of the dtype's largest number, ranges end, so that all codes stand for finite numbers. A group
 * with NaN has a scale of NaN.
 */

import {
  defineOp,
  fromArray,
  fromFloat32,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { clamp, clampMin, floatDTypeOf } from '../arithmetic.ts'
import { blockLayout } from '../blocks.ts'
import { safeLimit } from '../qparams-rules.ts'
import { forEachRow } from '../rows.ts'
import { differenceShare } from '../tinygemm.ts'

/** Codes with a scale, and a zero point, for each group. */
export interface Int4Groups {
  /** uint8, 0..15, in the shape of the weight. */
  readonly codes: Tensor
  /** In the weight's dtype: (K / groupSize, N), or (E, K / groupSize, N). */
  readonly scale: Tensor
  /** As `scale`: the value of code 8. */
  readonly zeroPoint: Tensor
}

const BOUNDS = { quantMin: 0, quantMax: 15 } as const
const SMALLEST_RANGE = Math.fround(1e-6)
// Adding and taking away 1.5 * 2^52 rounds to an integer, ties to even.
const ROUNDING = 6755399441055744

/**
 * 4-bit codes of `weight` with a floating zero point; MSLK's `int4_row_quantize_zp`.
 *
 * In each group: `scale = max(max - min, 1e-6) / 15`, `code = round((x - min) / scale)`, and the zero
 * point is the value of code 8, so that `x` is about `(code - 8) * scale + zeroPoint`.
 *
 * @param weight - (N, K) or (E, N, K), floating
 * @throws {@link ShapeError} when `groupSize` does not divide K
 */
export const quantizeInt4Groupwise: Op<[weight: Tensor, groupSize: number], Int4Groups> =
  /* @__PURE__ */ groupwiseOp('quantizeInt4Groupwise', asymmetricGroup)

/**
 * 4-bit codes of `weight` around zero; MSLK's `int4_row_quantize`, for activations of float8.
 *
 * In each group: `scale = max(|x|, 1e-6) / 8`, `code = round(x / scale) + 8`; zero points are zeros.
 *
 * @throws as {@link quantizeInt4Groupwise}
 */
export const quantizeInt4GroupwiseSymmetric: Op<[weight: Tensor, groupSize: number], Int4Groups> =
  /* @__PURE__ */ groupwiseOp('quantizeInt4GroupwiseSymmetric', symmetricGroup)

/** Quantizes one group of a row, and writes its codes; leaves scale and zero point in `qparams`. */
type QuantizeGroup = (
  row: Float32Array,
  start: number,
  end: number,
  codes: Uint8Array,
  at: number,
  qparams: Float32Array,
  limit: number,
) => void

function asymmetricGroup(
  row: Float32Array,
  start: number,
  end: number,
  codes: Uint8Array,
  at: number,
  qparams: Float32Array,
  limit: number,
): void {
  let min = Infinity
  let max = -Infinity
  for (let i = start; i < end; i++) {
    const x = row[i] as number
    if (x < min) min = x
    if (x > max) max = x
    if (x !== x) {
      min = NaN
      max = NaN
    }
  }
  min = within(limit, min)
  max = within(limit, max)
  const scale = spanScale(min, max)
  const share = differenceShare(scale, 'float32')
  const [low, step] = [min * share, scale * share]
  for (let i = start; i < end; i++) {
    const steps = Math.fround(Math.fround((row[i] as number) * share - low) / step)
    const code = steps + ROUNDING - ROUNDING
    codes[at + i] = code < 0 ? 0 : code > 15 ? 15 : code
  }
  qparams[0] = scale
  qparams[1] = min + Math.fround(scale * 8)
}

/** `max(max - min, 1e-6) / 15`, also where the difference is beyond float32. */
function spanScale(min: number, max: number): number {
  const span = Math.fround(max - min)
  if (span === Infinity && max - min < Infinity) {
    return Math.fround(Math.fround(max * 0.5 - min * 0.5) / 7.5)
  }
  return Math.fround(clampMin(span, SMALLEST_RANGE) / 15)
}

/** `x`, at most `limit` in magnitude; infinities and NaN stay. */
function within(limit: number, x: number): number {
  return Number.isFinite(x) ? clamp(x, -limit, limit) : x
}

function symmetricGroup(
  row: Float32Array,
  start: number,
  end: number,
  codes: Uint8Array,
  at: number,
  qparams: Float32Array,
  limit: number,
): void {
  let peak = SMALLEST_RANGE
  for (let i = start; i < end; i++) {
    const x = Math.abs(row[i] as number)
    if (x > peak || x !== x) peak = x
  }
  const scale = Math.fround(within(limit, peak) / 8)
  for (let i = start; i < end; i++) {
    const code = Math.fround((row[i] as number) / scale) + ROUNDING - ROUNDING + 8
    codes[at + i] = code < 0 ? 0 : code > 15 ? 15 : code
  }
  qparams[0] = scale
  qparams[1] = 0
}

/* @__NO_SIDE_EFFECTS__ */
function groupwiseOp(
  name: string,
  quantizeGroup: QuantizeGroup,
): Op<[weight: Tensor, groupSize: number], Int4Groups> {
  return defineOp({
    name,
    takes: 'tn',
    reference: (weight: Tensor, groupSize: number): Int4Groups => {
      const dtype = floatDTypeOf(weight, 'the weight')
      const shape = scaleShape(weight, groupSize)
      const [groups, n] = shape.slice(-2) as [number, number]
      const block = weight.shape.map((_, d) => (d === weight.ndim - 1 ? groupSize : 1))
      const codes = new Uint8Array(weight.numel)
      const scale = new Float32Array(codes.length / groupSize)
      const zeroPoint = new Float32Array(scale.length)
      const qparams = new Float32Array(2)
      const limit = safeLimit(dtype, BOUNDS)
      forEachRow(weight, blockLayout(weight.shape, block), (row, firstBlock, start) => {
        const line = firstBlock / groups // row of all experts' rows
        const expert = Math.floor(line / n)
        for (let g = 0; g < groups; g++) {
          quantizeGroup(row, g * groupSize, (g + 1) * groupSize, codes, start, qparams, limit)
          const to = (expert * groups + g) * n + (line % n)
          scale[to] = qparams[0] as number
          zeroPoint[to] = qparams[1] as number
        }
      })
      return {
        codes: fromArray(codes, weight.shape, 'uint8'),
        scale: fromFloat32(scale, shape, dtype),
        zeroPoint: fromFloat32(zeroPoint, shape, dtype),
      }
    },
    meta: (weight: Tensor, groupSize: number): Int4Groups => {
      const dtype = floatDTypeOf(weight, 'the weight')
      const shape = scaleShape(weight, groupSize)
      return {
        codes: zeros(weight.shape, 'uint8', weight.device),
        scale: zeros(shape, dtype, weight.device),
        zeroPoint: zeros(shape, dtype, weight.device),
      }
    },
  })
}

/** (K / groupSize, N), with experts in front. */
function scaleShape(weight: Tensor, groupSize: number): number[] {
  const [n = 0, k = 0] = weight.shape.slice(-2)
  if ((weight.ndim !== 2 && weight.ndim !== 3) || groupSize < 1 || k % groupSize !== 0) {
    throw new ShapeError({
      package: '@ao/quant-primitives',
      expected: `a weight (N, K) or (E, N, K) with K a multiple of the group size ${groupSize}`,
      got: `[${weight.shape.join(', ')}]`,
    })
  }
  return [...weight.shape.slice(0, -2), k / groupSize, n]
}

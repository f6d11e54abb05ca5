/** @file Quantizing: the scales and zero points of groups, and words of codes in one go. */

import {
  defineOp,
  fromArray,
  hostArray,
  hostFloat32,
  isFloatDType,
  rounder,
  DTypeError,
  ShapeError,
  toFloat32Array,
  ValueError,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { chooseQparamsAffine } from '@ao/quant-primitives'
import {
  checkBlockSize,
  CODES_PER_WORD,
  PACKAGE,
  variantOf,
  type Int4PlainInt32Variant,
} from './layout.ts'
import { packedShape } from './pack.ts'

/** The smallest scale. */
const EPS = 1e-6

const BOUNDS = {
  xpu: { quantMin: 0, quantMax: 15 },
  npu: { quantMin: -8, quantMax: 7 },
} as const

/** The stored parts of a weight (N, K): `qdata` (N, K / 8), `scale` and `zeroPoint` (K / g, N). */
export type Int4PlainInt32Weight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

/**
 * Quantizes `weight`, (N, K) or (E, N, K), as torchao does on the variant's machine.
 *
 * @throws {@link DTypeError}, {@link ShapeError} or {@link ValueError} for a weight or groups that it does
 * not take
 */
export function quantizeInt4PlainInt32(
  weight: Tensor,
  blockSize: readonly number[],
  variant: Int4PlainInt32Variant,
): Int4PlainInt32Weight {
  checkQuantizable(weight, blockSize)
  if (variant === 'npu') checkNpuGroups(weight, blockSize.at(-1) as number)
  const { scale, zeroPoint } = chooseQparamsAffine(weight, 'ASYMMETRIC', blockSize, 'int32', {
    ...BOUNDS[variant],
    eps: EPS,
    zeroPointDtype: variant === 'xpu' ? 'int8' : weight.dtype,
    keepdim: true,
  })
  const scales = scale.transpose(-2, -1).contiguous()
  const zeroPoints = zeroPoint.transpose(-2, -1).contiguous()
  return [quantizeToWords(weight, scales, zeroPoints), scales, zeroPoints]
}

function checkQuantizable(weight: Tensor, blockSize: readonly number[]): void {
  if (!isFloatDType(weight.dtype)) {
    throw new DTypeError({
      package: PACKAGE,
      expected: 'a weight of float32, float16 or bfloat16',
      got: weight.dtype,
    })
  }
  checkBlockSize(weight.shape, blockSize)
  const [k = 0, group = 1] = [weight.shape.at(-1), blockSize.at(-1)]
  if ((weight.ndim === 2 || weight.ndim === 3) && group > 1 && k % group === 0) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `a weight (N, K) or (E, N, K) with groups of [${blockSize.join(', ')}] that divide K`,
    got: `[${weight.shape.join(', ')}]`,
  })
}

function checkNpuGroups({ shape }: Tensor, group: number): void {
  const k = shape.at(-1) as number
  if (group % 32 === 0 && group < k) return
  throw new ValueError({
    package: PACKAGE,
    expected: `a group size that is a multiple of 32 and smaller than K = ${k}, for the variant npu`,
    got: String(group),
  })
}

/**
 * Words of the codes `clamp(round(x * (1 / scale)) + zeroPoint)`.
 *
 * `scale` and `zeroPoint` as they are stored. Each step rounds to the weight's dtype: the codes are those
 * of `quantizeAffine`, but without a byte for each of them in between, and several times faster for the
 * 16-bit types.
 */
export const quantizeToWords: Op<[weight: Tensor, scale: Tensor, zeroPoint: Tensor], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4_plain_int32.quantize',
    reference: (weight: Tensor, scale: Tensor, zeroPoint: Tensor): Tensor => {
      const dtype = weight.dtype as FloatDType
      const source = hostArray(weight)
      const reciprocals = hostFloat32(scale).map((step) => rounder(dtype)(1 / step))
      const zeroPoints = hostFloat32(zeroPoint)
      const { quantMin, quantMax } = BOUNDS[variantOf(zeroPoint)]
      const [groups, n] = scale.shape.slice(-2) as [number, number]
      const k = weight.shape.at(-1) as number
      const groupSize = k / groups
      const words = new Int32Array(weight.numel / CODES_PER_WORD)
      const products = new Float32Array(k)
      for (let row = 0; row * k < source.length; row++) {
        const values = toFloat32Array(source.subarray(row * k, (row + 1) * k), dtype)
        const first = Math.floor(row / n) * groups * n + (row % n)
        for (let g = 0; g < groups; g++) {
          const reciprocal = reciprocals[first + g * n] as number
          multiply(values, reciprocal, products, g * groupSize, (g + 1) * groupSize)
        }
        roundProducts(products, dtype)
        for (let g = 0; g < groups; g++) {
          const start = g * groupSize
          const at = (row * k + start) / CODES_PER_WORD
          const zero = zeroPoints[first + g * n] as number
          packGroup(products, start, groupSize, zero, quantMin, quantMax, words, at)
        }
      }
      return fromArray(words, packedShape(weight), 'int32')
    },
    meta: (weight: Tensor): Tensor => zeros(packedShape(weight), 'int32', weight.device),
  })

function multiply(
  values: Float32Array,
  factor: number,
  products: Float32Array,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) products[i] = (values[i] as number) * factor
}

/**
 * Rounds the mantissa to that of a 16-bit type, ties to even. Exponents beyond that type's stay: such
 * products give the first or last code, or 0 steps, either way.
 */
function roundProducts(products: Float32Array, dtype: FloatDType): void {
  if (dtype === 'float32') return
  const dropped = dtype === 'bfloat16' ? 16 : 13
  const belowHalf = (1 << (dropped - 1)) - 1
  const kept = -1 << dropped
  const bits = new Int32Array(products.buffer)
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] as number
    bits[i] = (value + belowHalf + ((value >>> dropped) & 1)) & kept
  }
}

// Adding and taking away 1.5 * 2^52 rounds to an integer, ties to even, for either sign.
const ROUNDING = 6755399441055744

function packGroup(
  products: Float32Array,
  start: number,
  length: number,
  zeroPoint: number,
  quantMin: number,
  quantMax: number,
  words: Int32Array,
  firstWord: number,
): void {
  let at = firstWord
  for (let from = start; from < start + length; from += CODES_PER_WORD, at++) {
    let word = 0
    for (let i = 0; i < CODES_PER_WORD; i++) {
      const code = (products[from + i] as number) + ROUNDING - ROUNDING + zeroPoint
      const clamped = code < quantMin ? quantMin : code > quantMax ? quantMax : code
      word |= (clamped & 15) << (4 * i)
    }
    words[at] = word
  }
}

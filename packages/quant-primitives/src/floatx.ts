/**
 * @file Floats of 3 to 8 bits: sign, `ebits` exponent bits and `mbits` mantissa bits, one code a byte.
 *
 * ```
 *   bit  e+m        m             0
 *       [sign][exponent][mantissa]        e3m2: 0 101 10 = +1.5 * 2^(5 - 3) = 6
 * ```
 *
 * The bias is 2^(ebits - 1) - 1. Exponent 0 holds zero and the subnormals. There are no infinities and no
 * NaN: the largest exponent holds numbers like any other.
 */

import {
  cast,
  defineOp,
  fromArray,
  fromFloat32,
  hostArray,
  hostFloat32,
  ShapeError,
  ValueError,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { clampMin, floatDTypeOf, requireFloat } from './arithmetic.ts'
import { blockRange } from './block-range.ts'
import { blockLayout } from './blocks.ts'

type CodecArgs = [input: Tensor, ebits: number, mbits: number]

/**
 * The nearest code of each element, ties to even, as uint8; torchao's `_f32_to_floatx_unpacked`.
 *
 * What lies beyond the largest number, NaN included, becomes that number. Signs of zero are kept.
 *
 * @throws {@link ValueError} unless `ebits` and `mbits` make 3 to 8 bits with a sign
 */
export const f32ToFloatxUnpacked: Op<CodecArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'f32ToFloatxUnpacked',
  takes: 'tnn',
  reference: (...[input, ebits, mbits]: CodecArgs) => {
    const values = hostFloat32(input)
    return fromArray(encode(values, floatxMagnitudes(ebits, mbits)), input.shape, 'uint8')
  },
  meta: (...[input, ebits, mbits]: CodecArgs) => {
    checkBits(ebits, mbits)
    return zeros(input.shape, 'uint8', input.device)
  },
})

/**
 * The numbers of codes in uint8, as float32; torchao's `_floatx_unpacked_to_f32`. Bits above the sign
 * are ignored.
 *
 * @throws as {@link f32ToFloatxUnpacked}
 */
export const floatxUnpackedToF32: Op<CodecArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'floatxUnpackedToF32',
  takes: 'tnn',
  reference: (...[input, ebits, mbits]: CodecArgs) => {
    const values = decode(hostArray(input) as Uint8Array, floatxMagnitudes(ebits, mbits))
    return fromFloat32(values, input.shape, 'float32')
  },
  meta: (...[input, ebits, mbits]: CodecArgs) => {
    checkBits(ebits, mbits)
    return zeros(input.shape, 'float32', input.device)
  },
})

/** The numbers of the codes without sign, in ascending order. */
function floatxMagnitudes(ebits: number, mbits: number): Float32Array {
  checkBits(ebits, mbits)
  const bias = 2 ** (ebits - 1) - 1
  return Float32Array.from({ length: 2 ** (ebits + mbits) }, (_, code) => {
    const exponent = code >> mbits
    const fraction = (code % 2 ** mbits) / 2 ** mbits
    return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias)
  })
}

function checkBits(ebits: number, mbits: number): void {
  const whole = Number.isInteger(ebits) && Number.isInteger(mbits)
  if (whole && ebits >= 2 && mbits >= 0 && ebits + mbits <= 7) return
  throw fail(
    ValueError,
    'at least 2 exponent bits and at most 8 bits with the sign',
    `ebits ${ebits} and mbits ${mbits}`,
  )
}

function encode(values: Float32Array, magnitudes: Float32Array): Uint8Array {
  const signBit = magnitudes.length
  // Between codes c and c + 1 lies limits[c]: exact, as both have few bits.
  const limits = magnitudes.subarray(1).map((value, c) => ((magnitudes[c] as number) + value) / 2)
  const codes = new Uint8Array(values.length)
  for (let i = 0; i < codes.length; i++) {
    const x = values[i] as number
    const negative = x < 0 || Object.is(x, -0)
    codes[i] = nearestCode(negative ? -x : x, limits) | (negative ? signBit : 0)
  }
  return codes
}

/** How many of `limits` are below `x`; on a limit, the even one of the two. */
function nearestCode(x: number, limits: Float32Array): number {
  let low = 0
  let high = limits.length
  while (low < high) {
    const middle = (low + high) >> 1
    const limit = limits[middle] as number
    if (x < limit || (x === limit && (middle & 1) === 0)) high = middle
    else low = middle + 1
  }
  return low
}

function decode(codes: Uint8Array, magnitudes: Float32Array): Float32Array {
  const signBit = magnitudes.length
  const values = new Float32Array(codes.length)
  for (let i = 0; i < values.length; i++) {
    const code = codes[i] as number
    const magnitude = magnitudes[code & (signBit - 1)] as number
    values[i] = code & signBit ? -magnitude : magnitude
  }
  return values
}

type ChooseArgs = [input: Tensor, ebits: number, mbits: number]

/**
 * The scale of each row of `input` (N, K): its largest magnitude over the largest number of the format,
 * as (N) in the input's dtype; torchao's `choose_qparams_affine_floatx`. Magnitudes below 1e-12 count as
 * that.
 *
 * @throws {@link DTypeError} for an input that is not floating
 * @throws {@link ShapeError} unless `input` has two dimensions
 * @throws {@link ValueError} as {@link f32ToFloatxUnpacked}
 */
export const chooseQparamsAffineFloatx: Op<ChooseArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'chooseQparamsAffineFloatx',
  takes: 'tnn',
  reference: (...[input, ebits, mbits]: ChooseArgs) => {
    const [n, k] = matrixShape(input)
    const dtype = floatDTypeOf(input)
    const largest = floatxMagnitudes(ebits, mbits).at(-1) as number
    const { min, max } = blockRange(input, blockLayout([n, k], [1, k]))
    const scale = max.map((top, row) => {
      const amax = Math.max(top, -(min[row] as number))
      return Math.fround(clampMin(amax, Math.fround(1e-12))) / largest
    })
    return fromFloat32(scale, [n], dtype)
  },
  meta: (...[input, ebits, mbits]: ChooseArgs) => {
    checkBits(ebits, mbits)
    return zeros([matrixShape(input)[0]], floatDTypeOf(input), input.device)
  },
})

type QuantizeArgs = [input: Tensor, scale: Tensor, ebits: number, mbits: number]

/**
 * Codes of `input` (N, K) over its row's `scale` (N), as uint8; torchao's `quantize_affine_floatx`.
 *
 * @throws as {@link chooseQparamsAffineFloatx}
 */
export const quantizeAffineFloatx: Op<QuantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantizeAffineFloatx',
  takes: 'ttnn',
  reference: (...[input, scale, ebits, mbits]: QuantizeArgs) => {
    floatDTypeOf(input)
    const scaled = byRow(input, scale, (x, s) => x / s)
    return f32ToFloatxUnpacked(fromFloat32(scaled, input.shape, 'float32'), ebits, mbits)
  },
  meta: (...[input, scale, ebits, mbits]: QuantizeArgs) => {
    checkRows(input, scale)
    return f32ToFloatxUnpacked(input, ebits, mbits)
  },
})

type DequantizeArgs = [
  input: Tensor,
  scale: Tensor,
  ebits: number,
  mbits: number,
  outputDtype?: FloatDType,
]

/**
 * Numbers of the codes `input` (N, K) times their row's `scale` (N), in `outputDtype` (float32 unless
 * given); torchao's `dequantize_affine_floatx`.
 *
 * @throws as {@link chooseQparamsAffineFloatx}
 */
export const dequantizeAffineFloatx: Op<DequantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'dequantizeAffineFloatx',
  takes: 'ttnnz?',
  reference: (...[input, scale, ebits, mbits, outputDtype = 'float32']: DequantizeArgs): Tensor => {
    requireFloat(outputDtype, 'the output')
    const values = floatxUnpackedToF32(input, ebits, mbits)
    const scaled = byRow(values, scale, (x, s) => x * s)
    return fromFloat32(scaled, input.shape, outputDtype)
  },
  meta: (...[input, scale, ebits, mbits, outputDtype = 'float32']: DequantizeArgs) => {
    checkRows(input, scale)
    return cast(floatxUnpackedToF32(input, ebits, mbits), outputDtype)
  },
})

function byRow(
  input: Tensor,
  scale: Tensor,
  compute: (x: number, scale: number) => number,
): Float32Array {
  checkRows(input, scale)
  const k = matrixShape(input)[1]
  const scales = hostFloat32(scale)
  return hostFloat32(input).map((x, i) => compute(x, scales[Math.floor(i / k)] as number))
}

function checkRows(input: Tensor, scale: Tensor): void {
  const [n] = matrixShape(input)
  if (scale.numel === n) return
  throw fail(ShapeError, `a scale for each of ${n} rows`, `${scale.numel}`)
}

function matrixShape(input: Tensor): readonly [number, number] {
  if (input.ndim === 2) return input.shape as readonly [number, number]
  throw fail(ShapeError, 'an input of shape [N, K]', input.shape)
}

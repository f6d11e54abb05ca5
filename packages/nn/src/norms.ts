/** @file Ops that normalise along a dimension: layerNorm, rmsNorm, softmax. */

import {
  defineOp,
  fromFloat32,
  fromFloat32Array,
  hostFloat32,
  normalizeDim,
  numelOf,
  promote,
  ShapeError,
  toFloat32Array,
  zeros,
  type Op,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'

const PACKAGE = '@ao/nn'

/**
 * `(x - mean) / sqrt(variance + eps) * weight + bias` over the last dimensions, those of
 * `normalizedShape`. Computed in float32 or better and rounded once to the input's dtype.
 *
 * `input` (..., *normalizedShape), `weight` and `bias` (*normalizedShape) -> `input`'s shape
 */
export const layerNorm: Op<
  [
    input: Tensor,
    normalizedShape: readonly number[],
    weight?: Tensor | undefined,
    bias?: Tensor | undefined,
    eps?: number,
  ],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'layerNorm',
  takes: 'tst?t?n?',
  budget: { nmse: 1e-6 },
  reference: (
    input: Tensor,
    normalizedShape: readonly number[],
    weight?: Tensor,
    bias?: Tensor,
    eps: number = 1e-5,
  ): Tensor => {
    checkTrailingShape(input, normalizedShape)
    const size = numelOf(normalizedShape)
    const x = hostFloat32(input)
    const scale = weight ? hostFloat32(weight) : new Float32Array(size).fill(1)
    const shift = bias ? hostFloat32(bias) : new Float32Array(size)
    const out = new Float32Array(x.length)
    for (let row = 0; row < x.length; row += size) {
      layerNormRow(x.subarray(row, row + size), scale, shift, eps, out.subarray(row, row + size))
    }
    return fromFloat32(out, input.shape, input.dtype)
  },
  meta: (input: Tensor, normalizedShape: readonly number[]): Tensor => {
    checkTrailingShape(input, normalizedShape)
    return zeros(input.shape, input.dtype, input.device)
  },
})

function layerNormRow(
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  eps: number,
  out: Float32Array,
): void {
  const size = x.length
  let sum = 0
  for (let i = 0; i < size; i++) sum += x[i] as number
  const mean = sum / size
  let squares = 0
  for (let i = 0; i < size; i++) squares += ((x[i] as number) - mean) ** 2
  const inverse = 1 / Math.sqrt(squares / size + eps)
  for (let i = 0; i < size; i++) {
    out[i] = ((x[i] as number) - mean) * inverse * (weight[i] as number) + (bias[i] as number)
  }
}

/** What {@link rmsNorm} does differently for some models. */
export interface RMSNormOptions {
  /**
   * Multiplies by `weightOffset + weight`, in float32, and rounds once, to the input's dtype: Gemma's norm,
   * with 1. Unless given, what `weight` multiplies is rounded before.
   */
  readonly weightOffset?: number | undefined
}

/**
 * `x / sqrt(mean(x^2) + eps) * weight` over the last dimension, with the roundings of Llama in Hugging
 * Face transformers: normalised in float32, rounded to the input's dtype, then multiplied by `weight`.
 *
 * `input` (..., H), `weight` (H) -> `input`'s shape, in the wider dtype of both; in the input's with an offset
 */
export const rmsNorm: Op<
  [input: Tensor, weight: Tensor, eps: number, options?: RMSNormOptions | undefined],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'rmsNorm',
  takes: 'ttno?',
  budget: { nmse: 1e-6 },
  reference: (
    input: Tensor,
    weight: Tensor,
    eps: number,
    { weightOffset }: RMSNormOptions = {},
  ): Tensor => {
    checkTrailingShape(input, weight.shape)
    const size = weight.numel
    const isOffset = weightOffset !== undefined
    const rounded = isOffset ? 'float32' : input.dtype
    const normalized = normalizeRows(hostFloat32(input), size, eps, rounded)
    const scale = isOffset ? hostFloat32(weight).map((w) => weightOffset + w) : hostFloat32(weight)
    for (let row = 0; row < normalized.length; row += size) {
      for (let i = 0; i < size; i++) {
        normalized[row + i] = (normalized[row + i] as number) * (scale[i] as number)
      }
    }
    const dtype = isOffset ? input.dtype : promote(input.dtype, weight.dtype)
    return fromFloat32(normalized, input.shape, dtype)
  },
  meta: (
    input: Tensor,
    weight: Tensor,
    _eps: number,
    { weightOffset }: RMSNormOptions = {},
  ): Tensor => {
    checkTrailingShape(input, weight.shape)
    const isOffset = weightOffset !== undefined
    const dtype = isOffset ? input.dtype : promote(input.dtype, weight.dtype)
    return zeros(input.shape, dtype, input.device)
  },
})

// Rows of `size`, divided by their root mean square and rounded to `dtype`; a new array.
function normalizeRows(
  x: Float32Array,
  size: number,
  eps: number,
  dtype: StoredDType,
): Float32Array {
  const out = new Float32Array(x.length)
  for (let row = 0; row < x.length; row += size) {
    let squares = 0
    for (let i = row; i < row + size; i++) squares += (x[i] as number) * (x[i] as number)
    const inverse = Math.fround(1 / Math.sqrt(Math.fround(squares / size + eps)))
    for (let i = row; i < row + size; i++) out[i] = (x[i] as number) * inverse
  }
  return toFloat32Array(fromFloat32Array(out, dtype), dtype)
}

/** `exp(x) / sum(exp(x))` along `dim` (the last unless given), rounded once to the input's dtype. */
export const softmax: Op<[input: Tensor, dim?: number], Tensor> = /* @__PURE__ */ defineOp({
  name: 'softmax',
  takes: 'tn?',
  budget: { nmse: 1e-6 },
  reference: (input: Tensor, dim = -1): Tensor => {
    const d = normalizeDim(dim, input.ndim)
    const size = input.shape[d] as number
    const stride = numelOf(input.shape.slice(d + 1))
    const x = hostFloat32(input)
    const out = new Float32Array(x.length)
    for (let outer = 0; outer < x.length; outer += size * stride) {
      for (let inner = 0; inner < stride; inner++) softmaxLine(x, out, outer + inner, size, stride)
    }
    return fromFloat32(out, input.shape, input.dtype)
  },
  meta: (input: Tensor, dim = -1): Tensor => {
    normalizeDim(dim, input.ndim)
    return zeros(input.shape, input.dtype, input.device)
  },
})

// `size` elements from `start` on, `stride` apart. The maximum is taken off so that exp stays finite.
function softmaxLine(
  x: Float32Array,
  out: Float32Array,
  start: number,
  size: number,
  stride: number,
): void {
  const end = start + size * stride
  let max = -Infinity
  for (let i = start; i < end; i += stride) max = Math.max(max, x[i] as number)
  let sum = 0
  for (let i = start; i < end; i += stride) {
    const value = Math.exp((x[i] as number) - max)
    out[i] = value
    sum += value
  }
  for (let i = start; i < end; i += stride) out[i] = (out[i] as number) / sum
}

function checkTrailingShape(input: Tensor, shape: readonly number[]): void {
  if (shape.length > 0 && input.shape.slice(-shape.length).join() === shape.join()) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `an input whose last sizes are [${shape.join(', ')}]`,
    got: `[${input.shape.join(', ')}]`,
  })
}

/**
 * @file The arithmetic that every model needs: linear, matmul, bmm, add, mul, embedding.
 *
 * References compute in float32 or better and round once to the result's dtype. Sums run in double
 * precision; PyTorch leaves their order open, so results agree to rounding, not to the bit.
 */

import { takes } from './takes.ts'
import { decodeInto, fromFloat32, hostFloat32 } from './cast.ts'
import { asDense, DenseTensor, hostArray, zeros } from './dense-tensor.ts'
import { isFloatDType, type StoredDType } from './dtype.ts'
import { DTypeError, ShapeError, fail, errorsOf } from './errors.ts'
import { matmulNT, tiledMatmulNT } from './matmul.ts'
import { defineOp, type Op } from './op.ts'
import { numelOf } from './strided.ts'
import type { Tensor } from './tensor.ts'
import { index } from './view-ops.ts'

/** The dtype of a result of two tensors: theirs if equal, float32 for two different floating dtypes. */
export function promote(a: StoredDType, b: StoredDType): StoredDType {
  takes('zz', a, b)
  if (a === b) return a
  if (isFloatDType(a)) return isFloatDType(b) ? 'float32' : a
  if (isFloatDType(b)) return b
  throw fail(
    DTypeError,
    'dtypes of which one at least is floating',
    `${a} and ${b}`,
    'Use cast(tensor, dtype) first.',
  )
}

/**
 * The output shape of a linear layer: `input.shape` with the last size replaced by `outFeatures`.
 *
 * @param weight - of shape (out, in), or what has that of one
 * @param packageName - who asks, for the message
 * @throws {@link ShapeError} unless the last size of `input` is that of `weight`
 */
export function linearShape(
  input: Tensor,
  weight: Pick<Tensor, 'shape'>,
  packageName: string = '@ao/base-tensor',
): number[] {
  takes('to<shape:s>x?', input, weight, packageName)
  const [outFeatures, inFeatures] = weight.shape
  if (weight.shape.length !== 2 || input.ndim < 1 || input.shape.at(-1) !== inFeatures) {
    throw errorsOf(packageName)(
      ShapeError,
      `an input of shape [..., ${inFeatures}] for a weight of shape (out, in) = [${weight.shape.join(', ')}]`,
      input.shape,
    )
  }
  return [...input.shape.slice(0, -1), outFeatures as number]
}

/**
 * `input @ weight^T + bias`, in the input's dtype.
 *
 * `input` (..., K), `weight` (N, K), `bias` (N) -> (..., N)
 */
export const linear: Op<[input: Tensor, weight: Tensor, bias?: Tensor | undefined], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'linear',
    takes: 'ttt?',
    budget: { nmse: 1e-6 },
    reference: (input: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
      const shape = linearShape(input, weight)
      const rows = numelOf(input.shape.slice(0, -1))
      const out = multiplyWeight(hostFloat32(input), rows, weight)
      if (bias) addBias(out, hostFloat32(bias), weight.shape[0] as number)
      return fromFloat32(out, shape, input.dtype)
    },
    meta: (input: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
      const shape = linearShape(input, weight)
      if (bias) checkBias(bias.numel, weight.shape[0] as number)
      return zeros(shape, input.dtype, input.device)
    },
  })

/** `input @ weight^T`; a weight of another dtype than float32 is never decoded as a whole. */
function multiplyWeight(input: Float32Array, m: number, weight: Tensor): Float32Array {
  const [n, k] = weight.shape as [number, number]
  const stored = hostArray(weight)
  if (weight.dtype !== 'float32') {
    return tiledMatmulNT(input, m, n, k, (tile, row, count) =>
      decodeInto(
        tile.subarray(0, count * k),
        stored.subarray(row * k, (row + count) * k),
        weight.dtype,
      ),
    )
  }
  const out = new Float32Array(m * n)
  matmulNT(input, stored as Float32Array, out, m, n, k)
  return out
}

function checkBias(length: number, n: number): void {
  if (length !== n) {
    throw fail(ShapeError, `a bias of ${n} elements`, length)
  }
}

/**
 * Adds `bias` (N) to every row of `out` (M, N), in place.
 *
 * @throws {@link ShapeError} unless `bias` has N elements
 */
export function addBias(out: Float32Array, bias: Float32Array, n: number): void {
  takes('aan', out, bias, n)
  checkBias(bias.length, n)
  for (let row = 0; row < out.length; row += n) {
    for (let j = 0; j < n; j++) out[row + j] = (out[row + j] as number) + (bias[j] as number)
  }
}

/** `a @ b`: (M, K) by (K, N) -> (M, N). */
export const matmul: Op<[a: Tensor, b: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'matmul',
  takes: 'tt',
  budget: { nmse: 1e-6 },
  reference: (a: Tensor, b: Tensor): Tensor => {
    const [m, k, n] = matmulShape(a.shape, b.shape)
    const out = new Float32Array(m * n)
    matmulNT(hostFloat32(a), hostFloat32(asDense(b).transpose(0, 1)), out, m, n, k)
    return fromFloat32(out, [m, n], promote(a.dtype, b.dtype))
  },
  meta: (a: Tensor, b: Tensor): Tensor => {
    const [m, , n] = matmulShape(a.shape, b.shape)
    return zeros([m, n], promote(a.dtype, b.dtype), a.device)
  },
})

/** Batched {@link matmul}: (B, M, K) by (B, K, N) -> (B, M, N). */
export const bmm: Op<[a: Tensor, b: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'bmm',
  takes: 'tt',
  budget: { nmse: 1e-6 },
  reference: (a: Tensor, b: Tensor): Tensor => {
    const [batch, m, k, n] = bmmShape(a, b)
    const out = new Float32Array(batch * m * n)
    const left = hostFloat32(a)
    const right = hostFloat32(asDense(b).transpose(1, 2))
    for (let i = 0; i < batch; i++) {
      matmulNT(
        left.subarray(i * m * k, (i + 1) * m * k),
        right.subarray(i * n * k, (i + 1) * n * k),
        out.subarray(i * m * n, (i + 1) * m * n),
        m,
        n,
        k,
      )
    }
    return fromFloat32(out, [batch, m, n], promote(a.dtype, b.dtype))
  },
  meta: (a: Tensor, b: Tensor): Tensor => {
    const [batch, m, , n] = bmmShape(a, b)
    return zeros([batch, m, n], promote(a.dtype, b.dtype), a.device)
  },
})

function matmulShape(a: readonly number[], b: readonly number[]): [number, number, number] {
  if (a.length !== 2 || b.length !== 2 || a[1] !== b[0]) {
    throw fail(ShapeError, 'shapes [M, K] and [K, N]', `[${a.join(', ')}] and [${b.join(', ')}]`)
  }
  return [a[0] as number, a[1] as number, b[1] as number]
}

function bmmShape(a: Tensor, b: Tensor): [number, number, number, number] {
  if (a.ndim !== 3 || b.ndim !== 3 || a.shape[0] !== b.shape[0]) {
    throw fail(
      ShapeError,
      'shapes [B, M, K] and [B, K, N]',
      `[${a.shape.join(', ')}] and [${b.shape.join(', ')}]`,
    )
  }
  return [a.shape[0] as number, ...matmulShape(a.shape.slice(1), b.shape.slice(1))]
}

/** The shape that two shapes broadcast to, by PyTorch's rules. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): number[] {
  takes('ss', a, b)
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, d) => {
    const sizeA = a[d - rank + a.length] ?? 1
    const sizeB = b[d - rank + b.length] ?? 1
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw fail(ShapeError, 'shapes that broadcast', `[${a.join(', ')}] and [${b.join(', ')}]`)
    }
    return sizeA === 1 ? sizeB : sizeA
  })
}

function elementwise(
  name: string,
  compute: (a: number, b: number) => number,
): Op<[a: Tensor, b: Tensor], Tensor> {
  return defineOp({
    name,
    takes: 'tt',
    reference: (a: Tensor, b: Tensor): Tensor => {
      const shape = broadcastShapes(a.shape, b.shape)
      const left = broadcastValues(a, shape)
      const right = broadcastValues(b, shape)
      const out = new Float32Array(left.length)
      for (let i = 0; i < out.length; i++) out[i] = compute(left[i] as number, right[i] as number)
      return fromFloat32(out, shape, elementwiseDtype(a, b))
    },
    meta: (a: Tensor, b: Tensor): Tensor =>
      zeros(broadcastShapes(a.shape, b.shape), elementwiseDtype(a, b), a.device),
  })
}

// A scalar tensor does not widen a tensor with dimensions: bfloat16 times a float32 scale stays so.
function elementwiseDtype(a: Tensor, b: Tensor): StoredDType {
  if (isFloatDType(a.dtype) && isFloatDType(b.dtype) && (a.ndim === 0) !== (b.ndim === 0)) {
    return a.ndim === 0 ? b.dtype : a.dtype
  }
  return promote(a.dtype, b.dtype)
}

/** The values in the shape that they are broadcast to: dimensions of size 1 are read again and again. */
function broadcastValues(tensor: Tensor, shape: readonly number[]): Float32Array {
  const { storage, strides, offset } = asDense(tensor)
  const lead = shape.length - tensor.ndim
  const repeated = shape.map((_, d) =>
    tensor.shape[d - lead] === 1 ? 0 : (strides[d - lead] ?? 0),
  )
  return hostFloat32(new DenseTensor(storage, shape, repeated, offset))
}

/** `a + b` with broadcasting. */
export const add: Op<[a: Tensor, b: Tensor], Tensor> = /* @__PURE__ */ elementwise(
  'add',
  (a, b) => a + b,
)

/** `a * b` with broadcasting. */
export const mul: Op<[a: Tensor, b: Tensor], Tensor> = /* @__PURE__ */ elementwise(
  'mul',
  (a, b) => a * b,
)

/**
 * Rows of `weight` (V, H) by token: `ids` (...) of any integer dtype -> (..., H).
 *
 * @throws {@link ShapeError} for an id outside of 0..V-1
 */
export const embedding: Op<[ids: Tensor, weight: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'embedding',
  takes: 'tt',
  reference: (ids: Tensor, weight: Tensor): Tensor => {
    const [vocabulary, width] = embeddingShape(weight)
    const rows = Array.from(hostArray(ids), Number)
    const stray = rows.find((row) => !(Number.isInteger(row) && row >= 0 && row < vocabulary))
    if (stray !== undefined) throw fail(ShapeError, `ids in 0..${vocabulary - 1}`, stray)
    return index(weight, rows).view([...ids.shape, width])
  },
  meta: (ids: Tensor, weight: Tensor): Tensor => {
    const [vocabulary, width] = embeddingShape(weight)
    if (vocabulary === 0 && ids.numel > 0) throw fail(ShapeError, 'a table with rows', weight.shape)
    return zeros([...ids.shape, width], weight.dtype, weight.device)
  },
})

function embeddingShape(weight: Tensor): [number, number] {
  if (weight.ndim !== 2) {
    throw fail(ShapeError, 'an embedding weight of shape [V, H]', weight.shape)
  }
  return weight.shape as [number, number]
}

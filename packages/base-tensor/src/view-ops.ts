/**
 * @file Ops on shapes, for formats to implement on their packed data.
 *
 * On dense tensors they are the methods of the same name. A tensor subclass lists those that it has in
 * its op table; its methods come here.
 */

import { takes } from './takes.ts'
import { asDense, narrowStart, zeros } from './dense-tensor.ts'
import { DTypeError, ShapeError, fail } from './errors.ts'
import { defineOp, type Op } from './op.ts'
import { normalizeDim, resolveShape, viewStrides } from './strided.ts'
import type { Tensor } from './tensor.ts'

// A view needs no data, so the reference serves every device that keeps strided storage.
function viewOp<Args extends readonly unknown[]>(
  name: string,
  takes: string,
  run: (...args: Args) => Tensor,
): Op<Args, Tensor> {
  return defineOp({ name, takes, reference: run, meta: run, isComposite: true })
}

type ViewMethod = 'slice' | 'select' | 'transpose' | 'view' | 'unsqueeze' | 'squeeze'
type ViewOp<Method extends ViewMethod> = Op<[Tensor, ...Parameters<Tensor[Method]>], Tensor>

type Views = Record<ViewMethod, (...args: readonly unknown[]) => Tensor>

function methodOp<Method extends ViewMethod>(method: Method, takes: string): ViewOp<Method> {
  return viewOp(method, takes, (tensor, ...args) =>
    (asDense(tensor) as unknown as Views)[method](...args),
  )
}

/** See {@link Tensor.slice}. */
export const slice: ViewOp<'slice'> = /* @__PURE__ */ methodOp('slice', 'tnn?n?n?')

/** See {@link Tensor.select}. */
export const select: ViewOp<'select'> = /* @__PURE__ */ methodOp('select', 'tnn')

/** See {@link Tensor.transpose}. */
export const transpose: ViewOp<'transpose'> = /* @__PURE__ */ methodOp('transpose', 'tnn')

/** See {@link Tensor.view}. */
export const view: ViewOp<'view'> = /* @__PURE__ */ methodOp('view', 'ts')

/** See {@link Tensor.unsqueeze}. */
export const unsqueeze: ViewOp<'unsqueeze'> = /* @__PURE__ */ methodOp('unsqueeze', 'tn')

/** See {@link Tensor.squeeze}. */
export const squeeze: ViewOp<'squeeze'> = /* @__PURE__ */ methodOp('squeeze', 'tn')

/** `length` elements of `dim` from `start` on; runs as {@link slice}, so formats implement that. */
export function narrow(tensor: Tensor, dim: number, start: number, length: number): Tensor {
  takes('tnnn', tensor, dim, start, length)
  const from = narrowStart(tensor.shape, dim, start, length)
  return slice(tensor, normalizeDim(dim, tensor.ndim), from, from + length)
}

/** The same elements in another shape: a view where possible, a copy otherwise. */
export function reshape(tensor: Tensor, shape: readonly number[]): Tensor {
  takes('ts', tensor, shape)
  if (tensor.dispatchOp) return view(tensor.contiguous(), shape)
  const dense = asDense(tensor)
  const resolved = resolveShape(shape, dense.numel)
  const viewable = viewStrides(dense.shape, dense.strides, resolved) !== undefined
  return (viewable ? dense : dense.contiguous()).view(resolved)
}

/** Splits `dim` in `chunks` parts of equal size (the last may be smaller), as views. */
export function chunk(tensor: Tensor, chunks: number, dim = 0): Tensor[] {
  takes('tnn?', tensor, chunks, dim)
  if (!Number.isInteger(chunks) || chunks < 1) {
    throw fail(ShapeError, 'at least 1 chunk', chunks)
  }
  const d = normalizeDim(dim, tensor.ndim)
  const size = tensor.shape[d] as number
  const each = Math.ceil(size / chunks)
  const parts: Tensor[] = []
  for (let from = 0; from < size || parts.length === 0; from += each) {
    parts.push(slice(tensor, d, from, Math.min(from + each, size)))
  }
  return parts
}

/** Joins tensors of equal dtype along `dim`; all other sizes must agree. */
export const cat: Op<[tensors: readonly Tensor[], dim?: number], Tensor> = /* @__PURE__ */ viewOp(
  'cat',
  'Tn?',
  (tensors, dim = 0) => {
    const first = tensors[0]
    if (!first) throw fail(ShapeError, 'a tensor for cat', 'none')
    const d = normalizeDim(dim, first.ndim)
    for (const tensor of tensors) checkCat(first, tensor, d)
    const total = tensors.reduce((sum, tensor) => sum + (tensor.shape[d] as number), 0)
    const out = zeros(first.shape.with(d, total), first.dtype, first.device)
    let from = 0
    for (const tensor of tensors) {
      const size = tensor.shape[d] as number
      out.narrow(d, from, size).copy_(tensor)
      from += size
    }
    return out
  },
)

function checkCat(first: Tensor, tensor: Tensor, d: number): void {
  if (tensor.dtype !== first.dtype) {
    throw fail(DTypeError, 'tensors of one dtype for cat', `${first.dtype} and ${tensor.dtype}`)
  }
  const others = ({ shape }: Tensor): string => shape.map((size, i) => i === d || size).join()
  if (others(tensor) !== others(first)) {
    throw fail(
      ShapeError,
      `tensors that differ in dimension ${d} only`,
      `[${first.shape.join(', ')}] and [${tensor.shape.join(', ')}]`,
    )
  }
}

/** Rows of `tensor`'s first dimension, picked by `indices`, as a copy. */
export const index: Op<[tensor: Tensor, indices: readonly number[]], Tensor> =
  /* @__PURE__ */ viewOp('index', 'ts', (tensor, indices) => {
    const source = asDense(tensor)
    const out = zeros([indices.length, ...source.shape.slice(1)], source.dtype, source.device)
    indices.forEach((row, i) => out.select(0, i).copy_(source.select(0, row)))
    return out
  })

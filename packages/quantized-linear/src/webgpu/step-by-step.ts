/** @file Products whose norm or second weight no kernel fuses, one step after another. */

import { cast, type StoredDType, type Tensor } from '@ao/base-tensor'
import type { GPU, Variant } from '@ao/kernels-webgpu'
import { elementwise } from './elementwise.ts'
import { rmsNormRows } from './rms-norm.ts'
import type { LinearProduct } from './variants.ts'

/**
 * What goes behind the variants of an op: the same product by several dispatches.
 *
 * @param variants - of the product alone, from `linearVariants` with a product as its only argument
 * @param productOf - what an op's arguments ask for
 */
/* @__NO_SIDE_EFFECTS__ */
export function stepByStep<Args extends readonly unknown[]>(
  variants: readonly Variant<[product: LinearProduct], Tensor>[],
  productOf: (...args: Args) => LinearProduct,
): Variant<Args, Tensor> {
  const bestFor = (
    gpu: GPU,
    product: LinearProduct,
  ): Variant<[LinearProduct], Tensor> | undefined =>
    variants.find(({ fits }) => fits?.(gpu, product) !== false)
  return {
    name: 'step by step',
    when: 'a norm or a second weight, for several rows',
    fits: (gpu, ...args) => bestFor(gpu, plainOf(productOf(...args))) !== undefined,
    run: (gpu, ...args) =>
      gpu.scope(() =>
        inSteps(gpu, productOf(...args), (product) =>
          (bestFor(gpu, product) as Variant<[LinearProduct], Tensor>).run(gpu, product),
        ),
      ),
  }
}

/** `product` without what only the kernel for one row fuses. */
function plainOf(product: LinearProduct): LinearProduct {
  return { ...product, rmsNorm: undefined, second: undefined }
}

/** The norm, each product and what joins them, one after another; numbers stay in float32 between them. */
function inSteps(
  gpu: GPU,
  product: LinearProduct,
  multiply: (product: LinearProduct) => Tensor,
): Tensor {
  const { x, rmsNorm, second, residual } = product
  const input = rmsNorm ? rmsNormRows(gpu, x, rmsNorm.weight, rmsNorm.eps) : as(x, 'float32')
  const plain = { ...plainOf(product), x: input }
  if (!second) return as(multiply(plain), x.dtype)
  const a = multiply({ ...plain, residual: undefined })
  const b = multiply({ ...plain, weight: second.weight, bias: second.bias, residual: undefined })
  const joined = elementwise(gpu, second.join, a, b, 'float32')
  const y = residual ? elementwise(gpu, 'a + b', joined, residual, 'float32') : joined
  return as(y, x.dtype)
}

const as = (tensor: Tensor, dtype: StoredDType): Tensor =>
  tensor.dtype === dtype ? tensor : cast(tensor, dtype)

/** @file The op table of a weight in blocks: rows that every such format writes alike. */

import {
  asDense,
  cat,
  embedding,
  expectFormat,
  implement,
  implementNamed,
  implementOnFields,
  index,
  linear,
  select,
  slice,
  squeeze,
  transpose,
  unsqueeze,
  view,
  type bmm,
  type DenseTensor,
  type OpImplementation,
  type Tensor,
  type TensorSubclass,
  type TensorSubclassType,
  takes,
} from '@ao/base-tensor'
import { packedDim, shapeOf, type BlockwiseFields } from './blockwise.ts'
import type { BlockwiseViews } from './views.ts'
import { expertsBmm, type GroupedWeight, type ProductWeight } from './weight-ops.ts'

/** What products of a format need. */
export interface ProductOpsOptions<Weight extends TensorSubclass> {
  readonly packageName: string
  /** The class, which its own static fields cannot name otherwise. */
  readonly type: () => TensorSubclassType<Weight>
  /** `x @ weight^T + bias` in the dtype of `x`, of a weight (N, K). */
  readonly linear: (x: Tensor, weight: Weight, bias?: Tensor) => Tensor
}

/** What a format brings to its op table. */
export interface WeightOpTableOptions<
  Weight extends TensorSubclass & GroupedWeight & Fields,
  Fields extends BlockwiseFields,
> extends ProductOpsOptions<Weight> {
  /** Views of such weights, as {@link blockwiseViews} makes them. */
  readonly views: BlockwiseViews<Fields>
}

/** The rows of `linear`, and of `bmm` of experts. */
/* @__NO_SIDE_EFFECTS__ */
export function productOps<Weight extends TensorSubclass & ProductWeight>(
  options: ProductOpsOptions<Weight>,
): readonly OpImplementation[] {
  takes('o<packageName:x type:f linear:f>', options)
  const { packageName, type, linear: multiply } = options
  const own = (weight: Tensor): Weight => expectFormat(weight, type(), packageName)
  return [
    implement(linear, (x, weight, bias) => multiply(x, own(weight), bias)),
    implementNamed<typeof bmm>('bmm', (x, weight) =>
      expertsBmm(x, own(weight), multiply, packageName),
    ),
  ]
}

/** The op table: `linear`, `bmm` of experts, `embedding`, views and `cat`. */
/* @__NO_SIDE_EFFECTS__ */
export function weightOpTable<
  Weight extends TensorSubclass & GroupedWeight & Fields,
  Fields extends BlockwiseFields,
>(options: WeightOpTableOptions<Weight, Fields>): readonly OpImplementation[] {
  takes('o<packageName:x type:f views:o linear:f>', options)
  const { packageName, views } = options
  const own = (weight: Tensor): Weight => expectFormat(weight, options.type(), packageName)
  const made = (fields: Fields): Weight => new (options.type())(fields as never)
  return [
    ...productOps(options),
    implement(embedding, (ids, weight) =>
      made(views.pickRows(own(weight), ids.shape, (rows) => embedding(ids, rows))).dequantize(),
    ),
    implementOnFields(slice, views.slice),
    implementOnFields(select, views.select),
    implementOnFields(index, views.index),
    implementOnFields(transpose, views.transpose),
    implementOnFields(view, views.view),
    implementOnFields(unsqueeze, views.unsqueeze),
    implementOnFields(squeeze, views.squeeze),
    implement(cat, (tensors, dim = 0) => made(views.cat(tensors.map(own), dim))),
  ]
}

/**
 * The values of a weight in groups, or of a view of one.
 *
 * @param dequantize - the values of stored fields, (N, K) or (E, N, K) with groups along K
 */
export function dequantizeGroups<Fields extends BlockwiseFields>(
  fields: Fields,
  views: BlockwiseViews<Fields>,
  dequantize: (stored: Fields) => Tensor,
): DenseTensor {
  takes('oof', fields, views, dequantize)
  const ndim = shapeOf(fields).length
  if (ndim === 1) {
    return dequantizeGroups(views.unsqueeze(fields, 0), views, dequantize).select(0, 0)
  }
  const [packed, last] = [packedDim(fields.blockSize), ndim - 1]
  return asDense(dequantize(views.transpose(fields, packed, last))).transpose(packed, last)
}

/**
 * @file Slices and other views of a weight in blocks; see `blockwise.ts` for its parts.
 *
 * Views share storage with the weight, so a loader can copy into them. All keep the law
 * `dequantize(view(weight)) = view(dequantize(weight))`, exactly. Where the blocks of a result could not
 * be told by a block size, the view is refused.
 */

import {
  cat,
  errorsOf,
  index,
  normalizeDim,
  reshape,
  resolveShape,
  ShapeError,
  sliceRange,
  UnsupportedOpError,
  type DenseTensor,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { viewBlockSize } from '@ao/granularity'
import {
  inFeaturesDim,
  packedDim,
  shapeOf,
  swapLastTwo,
  type BlockwiseFields,
  type BlockwiseLayout,
} from './blockwise.ts'

const DEQUANTIZE = 'Call dequantize() to work on the plain tensor.'

/** What a view does to each part of a weight; `qparam` sees scales in the order of the weight. */
interface Change {
  readonly shape: readonly number[]
  readonly blockSize: readonly number[]
  readonly qdata: DenseTensor
  readonly qparam: (qparam: DenseTensor) => DenseTensor
  readonly actPreScale?: DenseTensor | undefined
}

/** Views of the weights of one layout, from fields to fields. */
export interface BlockwiseViews<Fields extends BlockwiseFields> {
  /**
   * Elements `start` to `end` of `dim`. A slice along K takes the same part of `actPreScale`.
   *
   * @throws {@link ShapeError} unless it begins and ends between blocks, or lies in one whose codes are
   * not packed; {@link UnsupportedOpError} for steps
   */
  slice(fields: Fields, dim: number, start?: number, end?: number, step?: number): Fields
  /**
   * One index of `dim`, such as an expert; the dimension goes away.
   *
   * @throws {@link UnsupportedOpError} along K, where codes are packed or inputs have a pre-scale
   */
  select(fields: Fields, dim: number, at: number): Fields
  /** Rows of the first dimension by number, as a copy. */
  index(fields: Fields, rows: readonly number[]): Fields
  transpose(fields: Fields, dim0: number, dim1: number): Fields
  /**
   * The same elements in another shape, such as (E, N, K) as (E * N, K). Scales are copied where their
   * order in memory cannot show it; codes never are.
   *
   * @throws {@link ShapeError} where blocks would not stay blocks, or codes would have to be copied
   */
  view(fields: Fields, shape: readonly number[]): Fields
  unsqueeze(fields: Fields, dim: number): Fields
  /** Drops `dim` if its size is 1. */
  squeeze(fields: Fields, dim: number): Fields
  /**
   * Weights joined along `dim`, as a copy. Rows that were cut along K keep a scale for each part.
   *
   * @throws {@link ShapeError} unless attributes are equal; {@link UnsupportedOpError} for weights with
   * scales of activations
   */
  cat(weights: readonly Fields[], dim: number): Fields
  /**
   * A weight of picked rows: `pick` picks them of one inner tensor, in place of whose first dimension
   * come those of `lead`.
   *
   * @throws {@link UnsupportedOpError} where several rows, but not all, share a scale
   */
  pickRows(fields: Fields, lead: readonly number[], pick: (rows: DenseTensor) => Tensor): Fields
}

/** The views of a layout. */
/* @__NO_SIDE_EFFECTS__ */
export function blockwiseViews<Fields extends BlockwiseFields>(
  layout: BlockwiseLayout<Fields>,
): BlockwiseViews<Fields> {
  takes('o<attributesOf:f>', layout)
  const { codesPerElement = 1, swapsScales = false } = layout
  const { packing = () => [codesPerElement, 1] } = layout
  const fail = errorsOf(layout.packageName)
  const inOrder = (qparam: DenseTensor): DenseTensor => (swapsScales ? swapLastTwo(qparam) : qparam)
  /** The dimension along which codes share elements; -1 where each has its own. */
  const packed = (fields: Fields): number =>
    packing(fields)[0] === 1 ? -1 : packedDim(fields.blockSize)

  const changed = (fields: Fields, change: Change): Fields => {
    const { shape, blockSize, qdata, actPreScale = fields.actPreScale } = change
    const qparam = (tensor: DenseTensor): DenseTensor => inOrder(change.qparam(inOrder(tensor)))
    const scale = qparam(fields.scale)
    const zeroPoint = fields.zeroPoint && qparam(fields.zeroPoint)
    const parts = { qdata, scale, zeroPoint, blockSize, actPreScale }
    return { ...fields, ...parts, ...(fields.shape && { shape }) }
  }

  const slice: BlockwiseViews<Fields>['slice'] = (
    fields,
    dim,
    start = 0,
    end = Infinity,
    step = 1,
  ) => {
    if (step !== 1) {
      const cure = 'Pick rows with index(weight, rows).'
      throw fail(UnsupportedOpError, 'a slice of step 1', `step ${step}`, cure)
    }
    const { qdata, blockSize, actPreScale } = fields
    const shape = shapeOf(fields)
    const d = normalizeDim(dim, shape.length)
    const size = shape[d] as number
    const block = blockSize[d] as number
    const [from, to] = sliceRange(start, end, size)
    const [first, last] = [Math.floor(from / block), Math.ceil(to / block)]
    const isAligned = from % block === 0 && to % block === 0
    const isInOne = last - first === 1 && d !== packed(fields)
    const [codes, elements] = d === packed(fields) ? packing(fields) : [1, 1]
    const [begin, stop] = [(from * elements) / codes, (to * elements) / codes]
    const isWhole = Number.isInteger(begin) && Number.isInteger(stop)
    if ((!isAligned && !isInOne) || !isWhole) {
      const [unit, why] = isAligned || isInOne ? [codes, 'lie together'] : [block, 'share a scale']
      throw fail(
        ShapeError,
        `a slice of dimension ${d} (size ${size}) in whole blocks of ${unit}, which ${why}`,
        `${from} to ${to}`,
        `Slice at multiples of ${unit}, or dequantize() first.`,
      )
    }
    const slicesPre = d === inFeaturesDim(fields) && actPreScale?.shape.at(-1) === size
    return changed(fields, {
      shape: shape.with(d, to - from),
      blockSize: isAligned ? blockSize : blockSize.with(d, to - from),
      qdata: qdata.slice(d, begin, stop),
      qparam: (qparam) => qparam.slice(d, first, last),
      actPreScale: slicesPre ? actPreScale.slice(-1, from, to) : actPreScale,
    })
  }

  const select: BlockwiseViews<Fields>['select'] = (fields, dim, at) => {
    const { qdata, blockSize } = fields
    const shape = shapeOf(fields)
    const d = normalizeDim(dim, shape.length)
    if (d === packed(fields)) {
      const expected = 'a dimension whose codes are not packed to select from'
      throw fail(UnsupportedOpError, expected, `dimension ${d}`, DEQUANTIZE)
    }
    if (d === inFeaturesDim(fields)) refuseActivationScales(fields, 'select along K')
    const from = at < 0 ? at + (shape[d] as number) : at
    const block = Math.floor(from / (blockSize[d] as number))
    return changed(fields, {
      shape: shape.toSpliced(d, 1),
      blockSize: blockSize.toSpliced(d, 1),
      qdata: qdata.select(d, at),
      qparam: (qparam) => qparam.select(d, block),
    })
  }

  const pickRows: BlockwiseViews<Fields>['pickRows'] = (fields, lead, pick) => {
    const { qdata, blockSize } = fields
    const shape = shapeOf(fields)
    const isShared = blockSize[0] !== 1
    if (packed(fields) === 0 || (isShared && blockSize[0] !== shape[0])) {
      throw fail(
        UnsupportedOpError,
        'rows with scales of their own, or one scale for all, to pick rows',
        `blocks of [${blockSize.join(', ')}]`,
      )
    }
    return changed(fields, {
      shape: [...lead, ...shape.slice(1)],
      blockSize: [...lead.map((size) => (isShared ? size : 1)), ...blockSize.slice(1)],
      qdata: pick(qdata) as DenseTensor,
      qparam: (qparam) =>
        isShared
          ? qparam.view([...lead.map(() => 1), ...qparam.shape.slice(1)])
          : (pick(qparam.contiguous()) as DenseTensor),
    })
  }

  const refuseActivationScales = (fields: Fields, what: string): void => {
    if (!fields.actPreScale) return
    throw fail(
      UnsupportedOpError,
      `a weight without activation scales for ${what}`,
      'one that has them',
      DEQUANTIZE,
    )
  }

  return {
    slice,
    select,
    pickRows,
    index: (fields, rows) => pickRows(fields, [rows.length], (tensor) => index(tensor, rows)),
    transpose: (fields, dim0, dim1) => {
      const shape = shapeOf(fields)
      const [a, b] = [normalizeDim(dim0, shape.length), normalizeDim(dim1, shape.length)]
      const swap = (list: readonly number[]): number[] =>
        list.with(a, list[b] as number).with(b, list[a] as number)
      return changed(fields, {
        shape: swap(shape),
        blockSize: swap(fields.blockSize),
        qdata: fields.qdata.transpose(a, b),
        qparam: (qparam) => qparam.transpose(a, b),
      })
    },
    view: (fields, shape) => {
      const { qdata } = fields
      const own = shapeOf(fields)
      const [codes, elements] = packing(fields)
      const resolved = resolveShape(shape, (codes * qdata.numel) / elements)
      const blockSize = viewBlockSize(own, fields.blockSize, resolved)
      const isPacked = codes > 1
      const at = packedDim(blockSize ?? [])
      if (!blockSize || (isPacked && blockSize.some((size, d) => d !== at && size !== 1))) {
        throw fail(
          ShapeError,
          `a shape that keeps blocks of [${fields.blockSize.join(', ')}] in [${own.join(', ')}] whole`,
          `[${resolved.join(', ')}]`,
          DEQUANTIZE,
        )
      }
      const keepsK = inFeaturesDim(fields) === own.length - 1 && resolved.at(-1) === own.at(-1)
      if (!keepsK) refuseActivationScales(fields, 'a view that changes K')
      const blocks = resolved.map((size, d) => size / (blockSize[d] as number))
      return changed(fields, {
        shape: resolved,
        blockSize,
        qdata: qdata.view(
          isPacked ? resolved.with(at, ((resolved[at] as number) * elements) / codes) : resolved,
        ),
        qparam: (qparam) => reshape(qparam, blocks) as DenseTensor,
      })
    },
    unsqueeze: (fields, dim) => {
      const shape = shapeOf(fields)
      const d = normalizeDim(dim, shape.length + 1)
      return changed(fields, {
        shape: shape.toSpliced(d, 0, 1),
        blockSize: fields.blockSize.toSpliced(d, 0, 1),
        qdata: fields.qdata.unsqueeze(d),
        qparam: (qparam) => qparam.unsqueeze(d),
      })
    },
    squeeze: (fields, dim) => {
      const shape = shapeOf(fields)
      const d = normalizeDim(dim, shape.length)
      return shape[d] === 1 ? select(fields, d, 0) : fields
    },
    cat: (weights, dim) => joined(layout, weights, dim),
  }
}

function joined<Fields extends BlockwiseFields>(
  { packageName, swapsScales = false, ...layout }: BlockwiseLayout<Fields>,
  weights: readonly Fields[],
  dim: number,
): Fields {
  const fail = errorsOf(packageName)
  const first = weights[0] as Fields
  const describe = (fields: Fields): string => {
    const hasZeroPoint = fields.zeroPoint !== undefined
    return JSON.stringify({
      blockSize: fields.blockSize,
      ...layout.attributesOf(fields),
      ...(hasZeroPoint !== (first.zeroPoint !== undefined) && { hasZeroPoint }),
    })
  }
  for (const weight of weights) {
    if (weight.actPreScale || layout.hasActivationScales?.(weight)) {
      throw fail(
        UnsupportedOpError,
        'weights without activation scales for cat',
        'one that has them',
        DEQUANTIZE,
      )
    }
    if (describe(weight) !== describe(first)) {
      throw fail(
        ShapeError,
        `weights of equal attributes for cat, as the first: ${describe(first)}`,
        describe(weight),
      )
    }
  }
  const shape = shapeOf(first)
  const d = normalizeDim(dim, shape.length)
  const join = (parts: readonly DenseTensor[]): DenseTensor => cat(parts, d) as DenseTensor
  const inOrder = (qparam: DenseTensor): DenseTensor => (swapsScales ? swapLastTwo(qparam) : qparam)
  const joinQparams = (qparams: readonly DenseTensor[]): DenseTensor =>
    inOrder(join(qparams.map(inOrder))).contiguous()
  const total = weights.reduce((sum, weight) => sum + (shapeOf(weight)[d] as number), 0)
  return {
    ...first,
    ...(first.shape && { shape: shape.with(d, total) }),
    qdata: join(weights.map(({ qdata }) => qdata)),
    scale: joinQparams(weights.map(({ scale }) => scale)),
    ...(first.zeroPoint && {
      zeroPoint: joinQparams(weights.map(({ zeroPoint }) => zeroPoint as DenseTensor)),
    }),
  }
}

/**
 * @file Slices and other views of a weight in groups; see `grouped-weight.ts` for its parts.
 *
 * Views share storage with the weight, so a loader can copy into them, and keep the law
 * `dequantize(view(weight)) = view(dequantize(weight))`. What would cut a group is refused.
 */

import {
  cat,
  normalizeDim,
  reshape,
  resolveShape,
  ShapeError,
  sliceRange,
  UnsupportedOpError,
  type DenseTensor,
} from '@ao/base-tensor'
import { viewBlockSize } from '@ao/granularity'
import { codesPerUnit, packedDim, type Int4GroupedFields } from './grouped-weight.ts'

/** What a view does to each part of a weight; `groups` sees scales in the order of `shape`. */
interface Change {
  readonly shape: readonly number[]
  readonly blockSize: readonly number[]
  readonly qdata: DenseTensor
  readonly groups: (qparam: DenseTensor) => DenseTensor
  readonly actPreScale?: DenseTensor | undefined
}

type View<Fields, Args extends readonly unknown[]> = (fields: Fields, ...args: Args) => Fields

/**
 * Elements `start` to `end` of `dim`, as a view of the weights of a package.
 *
 * @remarks A slice along K takes the same part of `actPreScale`. The view throws a {@link ShapeError}
 * unless a slice along K begins and ends between groups, and an {@link UnsupportedOpError} for steps.
 */
/* @__NO_SIDE_EFFECTS__ */
export function sliceGroups<Fields extends Int4GroupedFields>(
  packageName: string,
): View<Fields, [dim: number, start?: number, end?: number, step?: number]> {
  return (fields, dim, start = 0, end = Infinity, step = 1) => {
    if (step !== 1) throw unsupported(packageName, 'a slice of step 1', `step ${step}`)
    const { shape, blockSize, qdata, actPreScale } = fields
    const d = normalizeDim(dim, shape.length)
    const size = shape[d] as number
    const [from, to] = sliceRange(start, end, size)
    const group = blockSize[d] as number
    if (from % group !== 0 || to % group !== 0) {
      throw new ShapeError({
        package: packageName,
        expected: `a slice of dimension ${d} (size ${size}) in whole groups of ${group}, which share a scale`,
        got: `${from} to ${to}`,
        cure: `Slice at multiples of ${group}, or dequantize() first.`,
      })
    }
    const isPacked = d === packedDim(blockSize)
    const unit = isPacked ? codesPerUnit(qdata) : 1
    const slicesPre = isPacked && actPreScale?.shape.at(-1) === size
    return changed(fields, {
      shape: shape.with(d, to - from),
      blockSize,
      qdata: qdata.slice(d, from / unit, to / unit),
      groups: (qparam) => qparam.slice(d, from / group, to / group),
      actPreScale: slicesPre ? actPreScale.slice(-1, from, to) : actPreScale,
    })
  }
}

/**
 * One index of `dim`, such as an expert, as a view of the weights of a package; the dimension goes away.
 *
 * @remarks The view throws an {@link UnsupportedOpError} along K, where codes share units.
 */
/* @__NO_SIDE_EFFECTS__ */
export function selectGroups<Fields extends Int4GroupedFields>(
  packageName: string,
): View<Fields, [dim: number, index: number]> {
  return (fields, dim, at) => {
    const d = normalizeDim(dim, fields.shape.length)
    if (d !== packedDim(fields.blockSize)) return picked(fields, d, at)
    const expected = 'a dimension without groups to select from'
    throw unsupported(packageName, expected, `dimension ${d}`)
  }
}

/** Drops `dim` if its size is 1. */
export function squeezeGroups<Fields extends Int4GroupedFields>(
  fields: Fields,
  dim: number,
): Fields {
  const d = normalizeDim(dim, fields.shape.length)
  return fields.shape[d] === 1 ? picked(fields, d, 0) : fields
}

function picked<Fields extends Int4GroupedFields>(fields: Fields, d: number, at: number): Fields {
  return changed(fields, {
    shape: fields.shape.toSpliced(d, 1),
    blockSize: fields.blockSize.toSpliced(d, 1),
    qdata: fields.qdata.select(d, at),
    groups: (qparam) => qparam.select(d, at),
  })
}

/** A dimension of size 1 at `dim`. */
export function unsqueezeGroups<Fields extends Int4GroupedFields>(
  fields: Fields,
  dim: number,
): Fields {
  const d = normalizeDim(dim, fields.shape.length + 1)
  return changed(fields, {
    shape: fields.shape.toSpliced(d, 0, 1),
    blockSize: fields.blockSize.toSpliced(d, 0, 1),
    qdata: fields.qdata.unsqueeze(d),
    groups: (qparam) => qparam.unsqueeze(d),
  })
}

/** Two dimensions swapped. */
export function transposeGroups<Fields extends Int4GroupedFields>(
  fields: Fields,
  dim0: number,
  dim1: number,
): Fields {
  const { shape, blockSize, qdata } = fields
  const a = normalizeDim(dim0, shape.length)
  const b = normalizeDim(dim1, shape.length)
  const swap = (list: readonly number[]): number[] =>
    list.with(a, list[b] as number).with(b, list[a] as number)
  return changed(fields, {
    shape: swap(shape),
    blockSize: swap(blockSize),
    qdata: qdata.transpose(a, b),
    groups: (qparam) => qparam.transpose(a, b),
  })
}

/**
 * The same elements in another shape, such as (E, N, K) as (E * N, K), as a view of the weights of a
 * package.
 *
 * @remarks Scales are copied where their order in memory cannot show the shape; codes never are. The view
 * throws a {@link ShapeError} where groups would not stay groups, or codes would have to be copied.
 */
/* @__NO_SIDE_EFFECTS__ */
export function viewGroups<Fields extends Int4GroupedFields>(
  packageName: string,
): View<Fields, [shape: readonly number[]]> {
  return (fields, shape) => {
    const { qdata } = fields
    const unit = codesPerUnit(qdata)
    const resolved = resolveShape(shape, unit * qdata.numel)
    const blockSize = viewBlockSize(fields.shape, fields.blockSize, resolved)
    const packed = packedDim(blockSize ?? [])
    if (!blockSize || blockSize.some((size, d) => d !== packed && size !== 1)) {
      throw new ShapeError({
        package: packageName,
        expected: `a shape that keeps groups of [${fields.blockSize.join(', ')}] in [${fields.shape.join(', ')}] whole`,
        got: `[${resolved.join(', ')}]`,
        cure: 'Call dequantize() to work on the plain tensor.',
      })
    }
    const grid = resolved.map((size, d) => size / (blockSize[d] as number))
    return changed(fields, {
      shape: resolved,
      blockSize,
      qdata: qdata.view(resolved.with(packed, (resolved[packed] as number) / unit)),
      groups: (qparam) => reshape(qparam, grid) as DenseTensor,
    })
  }
}

/**
 * Weights of a package joined along `dim`, as a copy.
 *
 * @param attributesOf - what weights have in common besides groups and dtype
 * @throws {@link ShapeError} unless that, groups and all other sizes are equal; {@link UnsupportedOpError}
 * for weights with a pre-scale of activations
 */
export function catGroups<Fields extends Int4GroupedFields>(
  weights: readonly Fields[],
  dim: number,
  attributesOf: (fields: Fields) => object,
  packageName: string,
): Fields {
  const first = weights[0] as Fields
  const describe = (fields: Fields): string => {
    const { blockSize, scale } = fields
    return JSON.stringify({ blockSize, dtype: scale.dtype, ...attributesOf(fields) })
  }
  for (const weight of weights) {
    if (weight.actPreScale) {
      throw unsupported(packageName, 'weights without actPreScale for cat', 'one that has it')
    }
    if (describe(weight) !== describe(first)) {
      throw new ShapeError({
        package: packageName,
        expected: `weights of equal attributes for cat, as the first: ${describe(first)}`,
        got: describe(weight),
      })
    }
  }
  const d = normalizeDim(dim, first.shape.length)
  const total = weights.reduce((sum, { shape }) => sum + (shape[d] as number), 0)
  const join = (parts: readonly DenseTensor[]): DenseTensor => cat(parts, d) as DenseTensor
  const joinGroups = (name: 'scale' | 'zeroPoint'): DenseTensor =>
    swapped(join(weights.map((weight) => swapped(weight[name])))).contiguous()
  return {
    ...first,
    shape: first.shape.with(d, total),
    qdata: join(weights.map(({ qdata }) => qdata)),
    scale: joinGroups('scale'),
    zeroPoint: joinGroups('zeroPoint'),
  }
}

function changed<Fields extends Int4GroupedFields>(fields: Fields, change: Change): Fields {
  const { shape, blockSize, qdata, groups, actPreScale = fields.actPreScale } = change
  const qparam = (tensor: DenseTensor): DenseTensor => swapped(groups(swapped(tensor)))
  const scale = qparam(fields.scale)
  const zeroPoint = qparam(fields.zeroPoint)
  return { ...fields, shape, blockSize, qdata, scale, zeroPoint, actPreScale }
}

function swapped(tensor: DenseTensor): DenseTensor {
  return tensor.ndim < 2 ? tensor : tensor.transpose(-2, -1)
}

function unsupported(packageName: string, expected: string, got: string): UnsupportedOpError {
  return new UnsupportedOpError({
    package: packageName,
    expected,
    got,
    cure: 'Call dequantize() to work on the plain tensor.',
  })
}

/**
 * @file Slices and other views of a weight.
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
  UnsupportedOpError,
  type DenseTensor,
} from '@ao/base-tensor'
import { viewBlockSize } from '@ao/granularity'
import {
  CODES_PER_WORD,
  packedDim,
  PACKAGE,
  variantOf,
  type Int4PlainInt32Fields,
} from './layout.ts'

/** What a view does to each part of a weight; `groups` sees scales in the order of `shape`. */
interface Change {
  readonly shape: readonly number[]
  readonly blockSize: readonly number[]
  readonly qdata: DenseTensor
  readonly groups: (qparam: DenseTensor) => DenseTensor
  readonly actPreScale?: DenseTensor | undefined
}

function changed(fields: Int4PlainInt32Fields, change: Change): Int4PlainInt32Fields {
  const { shape, blockSize, qdata, groups, actPreScale = fields.actPreScale } = change
  const qparam = (tensor: DenseTensor): DenseTensor => swapped(groups(swapped(tensor)))
  const scale = qparam(fields.scale)
  const zeroPoint = qparam(fields.zeroPoint)
  return { ...fields, shape, blockSize, qdata, scale, zeroPoint, actPreScale }
}

function swapped(tensor: DenseTensor): DenseTensor {
  return tensor.ndim < 2 ? tensor : tensor.transpose(-2, -1)
}

/**
 * Elements `start` to `end` of `dim`.
 *
 * @remarks A slice along K takes the same part of `actPreScale`.
 * @throws {@link ShapeError} unless a slice along K begins and ends between groups
 * @throws {@link UnsupportedOpError} for steps
 */
export function slicePlainInt32(
  fields: Int4PlainInt32Fields,
  dim: number,
  start: number = 0,
  end: number = Infinity,
  step: number = 1,
): Int4PlainInt32Fields {
  if (step !== 1) throw unsupported('a slice of step 1', `step ${step}`)
  const { shape, blockSize, qdata, actPreScale } = fields
  const d = normalizeDim(dim, shape.length)
  const size = shape[d] as number
  const from = clampIndex(start, size)
  const to = Math.max(from, clampIndex(end, size))
  const group = blockSize[d] as number
  if (from % group !== 0 || to % group !== 0) throw misaligned(d, from, to, size, group)
  const isPacked = d === packedDim(blockSize)
  const perElement = isPacked ? CODES_PER_WORD : 1
  return changed(fields, {
    shape: shape.with(d, to - from),
    blockSize,
    qdata: qdata.slice(d, from / perElement, to / perElement),
    groups: (qparam) => qparam.slice(d, from / group, to / group),
    actPreScale:
      isPacked && actPreScale?.shape.at(-1) === size
        ? actPreScale.slice(-1, from, to)
        : actPreScale,
  })
}

/**
 * One index of `dim`, such as an expert; the dimension goes away.
 *
 * @throws {@link UnsupportedOpError} along K, where codes share words
 */
export function selectPlainInt32(
  fields: Int4PlainInt32Fields,
  dim: number,
  at: number,
): Int4PlainInt32Fields {
  const { shape, blockSize, qdata } = fields
  const d = normalizeDim(dim, shape.length)
  if (d === packedDim(blockSize)) {
    throw unsupported('a dimension without groups to select from', `dimension ${d}`)
  }
  return changed(fields, {
    shape: shape.toSpliced(d, 1),
    blockSize: blockSize.toSpliced(d, 1),
    qdata: qdata.select(d, at),
    groups: (qparam) => qparam.select(d, at),
  })
}

export function transposePlainInt32(
  fields: Int4PlainInt32Fields,
  dim0: number,
  dim1: number,
): Int4PlainInt32Fields {
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
 * The same elements in another shape, such as (E, N, K) as (E * N, K).
 *
 * @remarks Scales are copied where their order in memory cannot show the shape; codes never are.
 * @throws {@link ShapeError} where groups would not stay groups, or codes would have to be copied
 */
export function viewPlainInt32(
  fields: Int4PlainInt32Fields,
  shape: readonly number[],
): Int4PlainInt32Fields {
  const { qdata } = fields
  const resolved = resolveShape(shape, CODES_PER_WORD * qdata.numel)
  const blockSize = viewBlockSize(fields.shape, fields.blockSize, resolved)
  const packed = packedDim(blockSize ?? [])
  if (!blockSize || blockSize.some((size, d) => d !== packed && size !== 1)) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `a shape that keeps groups of [${fields.blockSize.join(', ')}] in [${fields.shape.join(', ')}] whole`,
      got: `[${resolved.join(', ')}]`,
      cure: 'Call dequantize() to work on the plain tensor.',
    })
  }
  const grid = resolved.map((size, d) => size / (blockSize[d] as number))
  return changed(fields, {
    shape: resolved,
    blockSize,
    qdata: qdata.view(resolved.with(packed, (resolved[packed] as number) / CODES_PER_WORD)),
    groups: (qparam) => reshape(qparam, grid) as DenseTensor,
  })
}

export function unsqueezePlainInt32(
  fields: Int4PlainInt32Fields,
  dim: number,
): Int4PlainInt32Fields {
  const d = normalizeDim(dim, fields.shape.length + 1)
  return changed(fields, {
    shape: fields.shape.toSpliced(d, 0, 1),
    blockSize: fields.blockSize.toSpliced(d, 0, 1),
    qdata: fields.qdata.unsqueeze(d),
    groups: (qparam) => qparam.unsqueeze(d),
  })
}

/** Drops `dim` if its size is 1. */
export function squeezePlainInt32(fields: Int4PlainInt32Fields, dim: number): Int4PlainInt32Fields {
  const d = normalizeDim(dim, fields.shape.length)
  return fields.shape[d] === 1 ? selectPlainInt32(fields, d, 0) : fields
}

/**
 * Weights joined along `dim`, as a copy.
 *
 * @throws {@link ShapeError} unless variants, groups and all other sizes are equal; {@link UnsupportedOpError} for
 * weights with a pre-scale of activations
 */
export function catPlainInt32(
  weights: readonly Int4PlainInt32Fields[],
  dim: number,
): Int4PlainInt32Fields {
  const first = weights[0] as Int4PlainInt32Fields
  const d = normalizeDim(dim, first.shape.length)
  for (const weight of weights) {
    if (weight.actPreScale)
      throw unsupported('weights without actPreScale for cat', 'one that has it')
    if (attributesOf(weight) !== attributesOf(first)) {
      throw new ShapeError({
        package: PACKAGE,
        expected: `weights of equal variant and groups for cat, as the first: ${attributesOf(first)}`,
        got: attributesOf(weight),
      })
    }
  }
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

function attributesOf({ blockSize, scale, zeroPoint }: Int4PlainInt32Fields): string {
  return JSON.stringify({ blockSize, dtype: scale.dtype, variant: variantOf(zeroPoint) })
}

function clampIndex(index: number, size: number): number {
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size)
}

function misaligned(d: number, from: number, to: number, size: number, group: number): ShapeError {
  return new ShapeError({
    package: PACKAGE,
    expected: `a slice of dimension ${d} (size ${size}) in whole groups of ${group}, which share a scale`,
    got: `${from} to ${to}`,
    cure: `Slice at multiples of ${group}, or dequantize() first.`,
  })
}

function unsupported(expected: string, got: string): UnsupportedOpError {
  return new UnsupportedOpError({
    package: PACKAGE,
    expected,
    got,
    cure: 'Call dequantize() to work on the plain tensor.',
  })
}

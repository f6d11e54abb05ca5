/**
 * @file Slices and other views of an int8 weight.
 *
 * Views share storage with the weight, so a loader can copy into them. All keep the law
 * `dequantize(view(weight)) = view(dequantize(weight))`, exactly. Where the blocks of a result could not
 * be told by a block size, the view is refused.
 */

import {
  cat,
  index,
  normalizeDim,
  resolveShape,
  ShapeError,
  sliceRange,
  UnsupportedOpError,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import { viewBlockSize } from '@ao/granularity'
import { fail } from './errors.ts'
import { inFeaturesDim, type Int8Fields } from './layout.ts'

/** The weight of other codes, with `change` applied to its scales and zero points. */
function changed(
  fields: Int8Fields,
  qdata: DenseTensor,
  change: (qparam: DenseTensor) => DenseTensor,
): Int8Fields {
  const scale = change(fields.scale)
  const zeroPoint = fields.zeroPoint && change(fields.zeroPoint)
  // No codes have no blocks: any size will do for 0 / 0.
  const blockSize = qdata.shape.map((size, d) => size / (scale.shape[d] as number) || 1)
  return { ...fields, qdata, scale, blockSize, zeroPoint }
}

/** {@link changed} for what means the same to codes and to scales. */
function bothChanged(fields: Int8Fields, change: (part: DenseTensor) => DenseTensor): Int8Fields {
  return changed(fields, change(fields.qdata), change)
}

/**
 * Elements `start` to `end` of `dim`.
 *
 * @remarks A slice along K takes the same part of `actPreScale` (torchao leaves it whole).
 * @throws {@link ShapeError} unless the slice begins and ends between blocks, or lies in one
 * @throws {@link UnsupportedOpError} for steps
 */
export function sliceInt8(
  fields: Int8Fields,
  dim: number,
  start: number = 0,
  end: number = Infinity,
  step: number = 1,
): Int8Fields {
  if (step !== 1) {
    const cure = 'Pick rows with index(weight, rows).'
    throw fail(UnsupportedOpError, 'a slice of step 1', `step ${step}`, cure)
  }
  const { qdata, blockSize, actPreScale } = fields
  const d = normalizeDim(dim, qdata.ndim)
  const size = qdata.shape[d] as number
  const block = blockSize[d] as number
  const [from, to] = sliceRange(start, end, size)
  const firstBlock = Math.floor(from / block)
  const endBlock = Math.ceil(to / block)
  const isAligned = from % block === 0 && to % block === 0
  if (from === to || !(isAligned || endBlock - firstBlock === 1)) {
    throw fail(
      ShapeError,
      `a slice of dimension ${d} (size ${size}) in whole blocks of ${block}, which share a scale`,
      `${from} to ${to}`,
      `Slice at multiples of ${block}, or dequantize() first.`,
    )
  }
  const part = changed(fields, qdata.slice(d, from, to), (qparam) =>
    qparam.slice(d, firstBlock, endBlock),
  )
  return d === inFeaturesDim(fields) && actPreScale?.shape.at(-1) === size
    ? { ...part, actPreScale: actPreScale.slice(-1, from, to) }
    : part
}

/** One index of `dim`; the dimension goes away. */
export function selectInt8(fields: Int8Fields, dim: number, at: number): Int8Fields {
  const { qdata, blockSize } = fields
  const d = normalizeDim(dim, qdata.ndim)
  if (d === inFeaturesDim(fields) && fields.actPreScale) throw hasActivationScales('select along K')
  const from = at < 0 ? at + (qdata.shape[d] as number) : at
  const block = Math.floor(from / (blockSize[d] as number))
  return changed(fields, qdata.select(d, at), (qparam) => qparam.select(d, block))
}

/** Rows of the first dimension by number, as a copy. */
export function indexInt8(fields: Int8Fields, rows: readonly number[]): Int8Fields {
  return pickRows(fields, [rows.length], (tensor) => index(tensor, rows))
}

/**
 * A weight of picked rows.
 *
 * @param lead - what takes the place of the first dimension
 * @param pick - picks the rows of one inner tensor
 * @throws {@link UnsupportedOpError} where several rows, but not all, share a scale
 */
export function pickRows(
  fields: Int8Fields,
  lead: readonly number[],
  pick: (rows: DenseTensor) => Tensor,
): Int8Fields {
  const { qdata, blockSize } = fields
  if (blockSize[0] === 1) return bothChanged(fields, (part) => pick(part) as DenseTensor)
  if (blockSize[0] !== qdata.shape[0]) {
    throw fail(
      UnsupportedOpError,
      'rows with scales of their own, or one scale for all, to pick rows',
      `blocks of [${blockSize.join(', ')}]`,
    )
  }
  return changed(fields, pick(qdata) as DenseTensor, (qparam) =>
    qparam.view([...lead.map(() => 1), ...qparam.shape.slice(1)]),
  )
}

export function transposeInt8(fields: Int8Fields, dim0: number, dim1: number): Int8Fields {
  return bothChanged(fields, (part) => part.transpose(dim0, dim1))
}

export function unsqueezeInt8(fields: Int8Fields, dim: number): Int8Fields {
  return bothChanged(fields, (part) => part.unsqueeze(dim))
}

/** Drops `dim` if its size is 1. */
export function squeezeInt8(fields: Int8Fields, dim: number): Int8Fields {
  const d = normalizeDim(dim, fields.qdata.ndim)
  return fields.qdata.shape[d] === 1 ? selectInt8(fields, d, 0) : fields
}

/**
 * The same elements in another shape, such as (E, N, K) as (E * N, K).
 *
 * @throws {@link ShapeError} where blocks would not stay blocks, or only a copy could show the shape
 */
export function viewInt8(fields: Int8Fields, shape: readonly number[]): Int8Fields {
  const { qdata } = fields
  const resolved = resolveShape(shape, qdata.numel)
  const blockSize = viewBlockSize(qdata.shape, fields.blockSize, resolved)
  if (!blockSize) {
    throw fail(
      ShapeError,
      `a shape that keeps blocks of [${fields.blockSize.join(', ')}] in [${qdata.shape.join(', ')}] whole`,
      resolved,
      'Call dequantize() to work on the plain tensor.',
    )
  }
  const keepsK = inFeaturesDim(fields) === qdata.ndim - 1 && resolved.at(-1) === qdata.shape.at(-1)
  if (fields.actPreScale && !keepsK) throw hasActivationScales('a view that changes K')
  const blocks = resolved.map((size, d) => size / (blockSize[d] as number))
  return changed(fields, qdata.view(resolved), (qparam) => qparam.view(blocks))
}

/**
 * Weights joined along `dim`, as a copy.
 *
 * @remarks Halves of rows that were cut along K become rows of two groups: each keeps its scale.
 * @throws {@link ShapeError} unless blocks are of one size; {@link UnsupportedOpError} for static or
 * pre-scaled activations, whose scales cannot be joined
 */
export function catInt8(weights: readonly Int8Fields[], dim: number): Int8Fields {
  const first = weights[0] as Int8Fields
  for (const weight of weights) {
    if (weight.actPreScale || weight.actQuantScale) throw hasActivationScales('cat')
    if (attributesOf(weight) !== attributesOf(first)) {
      throw fail(
        ShapeError,
        `weights of equal attributes for cat, as the first: ${attributesOf(first)}`,
        attributesOf(weight),
      )
    }
  }
  const join = (part: (weight: Int8Fields) => DenseTensor | undefined): DenseTensor =>
    cat(
      weights.map((weight) => part(weight) as DenseTensor),
      dim,
    ) as DenseTensor
  return {
    ...first,
    qdata: join((weight) => weight.qdata),
    scale: join((weight) => weight.scale),
    zeroPoint: first.zeroPoint && join((weight) => weight.zeroPoint),
  }
}

function attributesOf(weight: Int8Fields): string {
  const { blockSize, dtype, actQuantKwargs, reduceRange } = weight
  const hasZeroPoint = weight.zeroPoint !== undefined
  return JSON.stringify({ blockSize, dtype, actQuantKwargs, reduceRange, hasZeroPoint })
}

function hasActivationScales(what: string): UnsupportedOpError {
  return fail(
    UnsupportedOpError,
    `a weight without activation scales for ${what}`,
    'one that has them',
    'Call dequantize() to work on the plain tensor.',
  )
}

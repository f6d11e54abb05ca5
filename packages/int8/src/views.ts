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
  UnsupportedOpError,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import { viewBlockSize } from '@ao/granularity'
import { fail } from './errors.ts'
import { inFeaturesDim, type Int8Fields } from './layout.ts'

/** What a view does to each part of a weight. */
interface Change {
  readonly qdata: DenseTensor
  /** Changes the scale, and the zero point alike. */
  readonly qparams: (qparam: DenseTensor) => DenseTensor
  readonly blockSize: readonly number[]
  readonly actPreScale?: DenseTensor | undefined
}

function changed(fields: Int8Fields, change: Change): Int8Fields {
  const { qdata, qparams, blockSize, actPreScale = fields.actPreScale } = change
  const scale = qparams(fields.scale)
  const zeroPoint = fields.zeroPoint && qparams(fields.zeroPoint)
  return { ...fields, qdata, scale, blockSize, zeroPoint, actPreScale }
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
    throw fail(
      UnsupportedOpError,
      'a slice of step 1',
      `step ${step}`,
      'Pick rows with index(weight, rows).',
    )
  }
  const d = normalizeDim(dim, fields.qdata.ndim)
  const qdata = fields.qdata.slice(d, start, end)
  const size = fields.qdata.shape[d] as number
  const length = qdata.shape[d] as number
  const from = Math.max(start < 0 ? start + size : start, 0)
  const block = fields.blockSize[d] as number
  const firstBlock = Math.floor(from / block)
  const endBlock = Math.ceil((from + length) / block)
  const isAligned = from % block === 0 && length % block === 0
  if (length === 0 || !(isAligned || endBlock - firstBlock === 1)) {
    throw misaligned(d, from, from + length, size, block)
  }
  const pre = fields.actPreScale
  const slicesPre = d === inFeaturesDim(fields) && pre?.shape.at(-1) === size
  return changed(fields, {
    qdata,
    qparams: (qparam) => qparam.slice(d, firstBlock, endBlock),
    blockSize: fields.blockSize.with(d, Math.min(block, length)),
    actPreScale: slicesPre ? pre?.slice(-1, from, from + length) : pre,
  })
}

/** One index of `dim`; the dimension goes away. */
export function selectInt8(fields: Int8Fields, dim: number, at: number): Int8Fields {
  const d = normalizeDim(dim, fields.qdata.ndim)
  if (d === inFeaturesDim(fields) && fields.actPreScale) throw hasActivationScales('select along K')
  const qdata = fields.qdata.select(d, at)
  const from = at < 0 ? at + (fields.qdata.shape[d] as number) : at
  const block = Math.floor(from / (fields.blockSize[d] as number))
  return changed(fields, {
    qdata,
    qparams: (qparam) => qparam.select(d, block),
    blockSize: fields.blockSize.toSpliced(d, 1),
  })
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
  const rest = blockSize.slice(1)
  if (blockSize[0] === 1) {
    return changed(fields, {
      qdata: pick(qdata) as DenseTensor,
      qparams: (qparam) => pick(qparam) as DenseTensor,
      blockSize: [...lead.map(() => 1), ...rest],
    })
  }
  if (blockSize[0] !== qdata.shape[0]) {
    throw fail(
      UnsupportedOpError,
      'rows with scales of their own, or one scale for all, to pick rows',
      `blocks of [${blockSize.join(', ')}]`,
    )
  }
  return changed(fields, {
    qdata: pick(qdata) as DenseTensor,
    qparams: (qparam) => qparam.view([...lead.map(() => 1), ...qparam.shape.slice(1)]),
    blockSize: [...lead, ...rest],
  })
}

export function transposeInt8(fields: Int8Fields, dim0: number, dim1: number): Int8Fields {
  const a = normalizeDim(dim0, fields.qdata.ndim)
  const b = normalizeDim(dim1, fields.qdata.ndim)
  const { blockSize } = fields
  return changed(fields, {
    qdata: fields.qdata.transpose(a, b),
    qparams: (qparam) => qparam.transpose(a, b),
    blockSize: blockSize.with(a, blockSize[b] as number).with(b, blockSize[a] as number),
  })
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
  return changed(fields, {
    qdata: qdata.view(resolved),
    qparams: (qparam) => qparam.view(blocks),
    blockSize,
  })
}

export function unsqueezeInt8(fields: Int8Fields, dim: number): Int8Fields {
  const d = normalizeDim(dim, fields.qdata.ndim + 1)
  return changed(fields, {
    qdata: fields.qdata.unsqueeze(d),
    qparams: (qparam) => qparam.unsqueeze(d),
    blockSize: fields.blockSize.toSpliced(d, 0, 1),
  })
}

/** Drops `dim` if its size is 1. */
export function squeezeInt8(fields: Int8Fields, dim: number): Int8Fields {
  const d = normalizeDim(dim, fields.qdata.ndim)
  return fields.qdata.shape[d] === 1 ? selectInt8(fields, d, 0) : fields
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

function misaligned(
  dim: number,
  start: number,
  end: number,
  size: number,
  block: number,
): ShapeError {
  return fail(
    ShapeError,
    `a slice of dimension ${dim} (size ${size}) in whole blocks of ${block}, which share a scale`,
    `${start} to ${end}`,
    `Slice at multiples of ${block}, or dequantize() first.`,
  )
}

function hasActivationScales(what: string): UnsupportedOpError {
  return fail(
    UnsupportedOpError,
    `a weight without activation scales for ${what}`,
    'one that has them',
    'Call dequantize() to work on the plain tensor.',
  )
}

/** @file TernaryTensor: the parts of `quantize.ts` as a tensor, and what it can do. */

import { asDense, checkDType, checkShape, errorsOf, expectFormat, implement } from '@ao/base-tensor'
import { isFloatDType, linear, narrowDTypeCodec, normalizeDim, ShapeError } from '@ao/base-tensor'
import { slice, sliceRange, TensorSubclass, ValueError } from '@ao/base-tensor'
import type { DenseTensor, FloatDType, JsonCodec, OpImplementation } from '@ao/base-tensor'
import type { StoredDType, Tensor } from '@ao/base-tensor'
import { dequantizeTernary, PACKAGE, ternaryLinear } from './linear.ts'
import { CODES, quantizeTernary } from './quantize.ts'

const fail = errorsOf(PACKAGE)

export interface TernaryFields {
  readonly qdata: DenseTensor
  readonly scale: DenseTensor
  readonly dtype: FloatDType
}

export interface TernaryFromHpOptions {
  /** Neighbours along K that share a scale, a multiple of 16; whole rows unless given. */
  readonly groupSize?: number | undefined
}

/** A weight of -1, 0 and 1 with a scale for each row, or for each group of a row. */
export class TernaryTensor extends TensorSubclass implements TernaryFields {
  static override readonly formatName: string = 'TernaryTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly tensorAttributeNames: readonly string[] = ['dtype']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    dtype: /* @__PURE__ */ narrowDTypeCodec(isFloatDType),
  }
  static override readonly ops: readonly OpImplementation[] = [
    implement(linear, (x, weight, bias) => ternaryLinear(x, asTernary(weight).parts, bias)),
    implement(slice, (tensor, dim, start, end, step) =>
      sliceTernary(asTernary(tensor), dim, start, end, step),
    ),
  ]

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor

  constructor(fields: TernaryFields) {
    const { qdata, scale, dtype } = fields
    checkDType('qdata', qdata, 'int32', PACKAGE)
    checkDType('scale', scale, 'float32', PACKAGE)
    const [n = 0, words = 0] = qdata.shape
    const groups = scale.shape[1] ?? 0
    checkShape('qdata', qdata, [n, words], PACKAGE)
    checkShape('scale', scale, [n, groups], PACKAGE)
    if (words % groups !== 0) {
      throw fail(ShapeError, `groups of whole words, of ${words} in a row`, `${groups} groups`)
    }
    super({ ...fields }, [n, CODES * words], dtype)
  }

  /** Quantizes a dense weight (N, K); on the `meta` device, plans one. */
  static fromHp(weight: Tensor, options: TernaryFromHpOptions = {}): TernaryTensor {
    const { shape, dtype } = weight
    if (!isFloatDType(dtype) || shape.length !== 2 || (shape[1] as number) % CODES !== 0) {
      throw fail(ShapeError, 'a floating weight (N, K) with K a multiple of 16', String(weight))
    }
    const k = shape[1] as number
    const { groupSize = k } = options
    if (groupSize <= 0 || groupSize % CODES !== 0 || k % groupSize !== 0) {
      throw fail(ValueError, `a group size of whole words of 16 that divides K=${k}`, groupSize)
    }
    const [qdata, scale] = quantizeTernary(weight, groupSize)
    return new TernaryTensor({ qdata: asDense(qdata), scale: asDense(scale), dtype })
  }

  /** What ops take. */
  get parts(): readonly [qdata: DenseTensor, scale: DenseTensor] {
    return [this.qdata, this.scale]
  }

  override dequantize(dtype: StoredDType = this.dtype): DenseTensor {
    return asDense(dequantizeTernary(this.parts, dtype))
  }
}

function asTernary(tensor: Tensor): TernaryTensor {
  return expectFormat(tensor, TernaryTensor, PACKAGE)
}

function sliceTernary(
  weight: TernaryTensor,
  dim: number,
  start = 0,
  end = Infinity,
  step = 1,
): TernaryTensor {
  const { qdata, scale, dtype, shape } = weight
  const d = normalizeDim(dim, 2)
  const [from, to] = sliceRange(start, end, shape[d] as number)
  if (step !== 1) throw fail(ShapeError, 'a slice of step 1', `step ${step}`)
  if (d === 0) {
    return new TernaryTensor({
      qdata: qdata.slice(0, from, to),
      scale: scale.slice(0, from, to),
      dtype,
    })
  }
  const groups = scale.shape[1] as number
  const unit = groups === 1 ? CODES : (shape[1] as number) / groups
  if (from % unit !== 0 || to % unit !== 0) {
    throw fail(ShapeError, `a slice along K at multiples of ${unit}`, `${from} to ${to}`)
  }
  return new TernaryTensor({
    qdata: qdata.slice(1, from / CODES, to / CODES),
    scale: groups === 1 ? scale : scale.slice(1, from / unit, to / unit),
    dtype,
  })
}

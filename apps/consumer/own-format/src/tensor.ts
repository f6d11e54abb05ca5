/** @file TernaryTensor: the fields of `layout.ts` as a tensor, and what it can do. */

import { asDense, errorsOf, integerCodec, isFloatDType, listCodec } from '@ao/base-tensor'
import { ShapeError, TensorSubclass, ValueError } from '@ao/base-tensor'
import type { DenseTensor, FloatDType, JsonCodec, OpImplementation } from '@ao/base-tensor'
import type { Tensor } from '@ao/base-tensor'
import { dtypeOfScale, linearInput, packedDim, weightOpTable } from '@ao/quantized-linear'
import { checkLayout, CODES, PACKAGE, views, type TernaryFields } from './layout.ts'
import { dequantizeTernary, quantizeTernary, ternaryLinear } from './ops.ts'

const fail = errorsOf(PACKAGE)
const sizes: JsonCodec<unknown> = /* @__PURE__ */ listCodec(integerCodec)

export interface TernaryFromHpOptions {
  /** Neighbours along K that share a scale, a multiple of 16; whole rows unless given. */
  readonly groupSize?: number | undefined
}

/** A weight of -1, 0 and 1 with a scale for each row, or for each group of a row. */
export class TernaryTensor extends TensorSubclass implements TernaryFields {
  static override readonly formatName: string = 'TernaryTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    blockSize: sizes,
    shape: sizes,
  }
  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => TernaryTensor,
    views,
    linear: (x: Tensor, weight: TernaryTensor, bias?: Tensor) =>
      ternaryLinear(linearInput(x, weight, bias, PACKAGE), weight.parts, bias),
  })

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor
  declare readonly blockSize: readonly number[]

  constructor(fields: TernaryFields) {
    checkLayout(fields)
    super({ ...fields }, fields.shape, dtypeOfScale(fields.scale, PACKAGE))
  }

  /** Quantizes a dense weight (N, K); on the `meta` device, plans one. */
  static fromHp(weight: Tensor, options: TernaryFromHpOptions = {}): TernaryTensor {
    const { shape, dtype } = weight
    const k = shape[1] as number
    if (!isFloatDType(dtype) || shape.length !== 2 || k % CODES !== 0) {
      throw fail(ShapeError, 'a floating weight (N, K) with K a multiple of 16', String(weight))
    }
    const { groupSize = k } = options
    if (groupSize <= 0 || groupSize % CODES !== 0 || k % groupSize !== 0) {
      throw fail(ValueError, `a group size of whole words of 16 that divides K=${k}`, groupSize)
    }
    const [qdata, scale] = quantizeTernary(weight, groupSize)
    return new TernaryTensor({
      ...{ qdata: asDense(qdata), scale: asDense(scale) },
      ...{ blockSize: [1, groupSize], shape },
    })
  }

  /** What ops take. */
  get parts(): readonly [qdata: DenseTensor, scale: DenseTensor] {
    return [this.qdata, this.scale]
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    if (this.ndim === 1) return (this.unsqueeze(0) as TernaryTensor).dequantize(dtype).select(0, 0)
    const [packed, last] = [packedDim(this.blockSize), this.ndim - 1]
    const { qdata, scale } = views.transpose(this, packed, last)
    return asDense(dequantizeTernary([qdata, scale], dtype)).transpose(packed, last)
  }
}

/** @file TernaryTensor: the fields of `layout.ts` as a tensor, and what it can do. */

import { asDense, errorsOf, isFloatDType } from '@ao/base-tensor'
import { ShapeError, TensorSubclass } from '@ao/base-tensor'
import type { DenseTensor, FloatDType, JsonCodec, OpImplementation } from '@ao/base-tensor'
import type { Tensor } from '@ao/base-tensor'
import { PerRow } from '@ao/granularity'
import { dequantizeGroups, dtypeOfScale, groupBlockOf, linearInput } from '@ao/quantized-linear'
import { GROUP_CODECS, weightOpTable, type FromHpOptions } from '@ao/quantized-linear'
import { checkLayout, CODES, PACKAGE, views, type TernaryFields } from './layout.ts'
import { dequantizeTernary, quantizeTernary, ternaryLinear } from './ops.ts'

const fail = errorsOf(PACKAGE)

/** A weight of -1, 0 and 1 with a scale for each row, or for each group of a row. */
export class TernaryTensor extends TensorSubclass implements TernaryFields {
  static override readonly formatName: string = 'TernaryTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> =
    GROUP_CODECS
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
  static fromHp(weight: Tensor, { granularity = PerRow() }: FromHpOptions = {}): TernaryTensor {
    if (!isFloatDType(weight.dtype) || weight.ndim !== 2) {
      throw fail(ShapeError, 'a floating weight (N, K)', String(weight))
    }
    const options = { packageName: PACKAGE, multiple: CODES }
    const blockSize = groupBlockOf(weight, granularity, options)
    const [qdata, scale] = quantizeTernary(weight, blockSize[1] as number)
    return new TernaryTensor({
      ...{ qdata: asDense(qdata), scale: asDense(scale) },
      ...{ blockSize, shape: weight.shape },
    })
  }

  /** What ops take. */
  get parts(): readonly [qdata: DenseTensor, scale: DenseTensor] {
    return [this.qdata, this.scale]
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    return dequantizeGroups<TernaryFields>(this, views, ({ qdata, scale }) =>
      dequantizeTernary([qdata, scale], dtype),
    )
  }
}

/** @file A format that is right, for others to be wrong in one way each: int8 rows with a scale. */

import * as base from '@ao/base-tensor'
import type { DenseTensor, FloatDType, OpImplementation, Tensor } from '@ao/base-tensor'

export interface RowsFields {
  readonly qdata: DenseTensor
  readonly scale: DenseTensor
  readonly dtype: FloatDType
}

/** How one wrong format differs from the right one. */
export interface Hooks {
  readonly scaleOfZeros?: number
  readonly bias?: (bias: Tensor | undefined) => Tensor | undefined
  readonly sliced?: (part: DenseTensor) => DenseTensor
  readonly firstOfSlice?: (start: number) => number
  readonly transposed?: (fields: RowsFields) => RowsFields
  readonly cat?: (fields: readonly RowsFields[]) => readonly RowsFields[]
  readonly selectedRow?: (row: number) => number
  readonly plannedDType?: 'int16'
}

/** A weight of int8 rows; what extends it is wrong. */
export class Rows extends base.TensorSubclass {
  static readonly hooks: Hooks = {}

  static override readonly formatName: string = 'Rows'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly tensorAttributeNames: readonly string[] = ['dtype']
  static override readonly attributeCodecs: Readonly<Record<string, base.JsonCodec<unknown>>> = {
    dtype: base.narrowDTypeCodec(base.isFloatDType),
  }
  static override readonly ops: readonly OpImplementation[] = [
    base.implement(base.linear, (x, weight, bias) => {
      const { bias: change = (same) => same } = hooksOf(weight)
      return base.linear(x, (weight as Rows).dequantize(x.dtype as FloatDType), change(bias))
    }),
    base.implement(base.slice, (tensor, dim, start = 0, end) => {
      const { sliced = (part) => part, firstOfSlice = (first) => first } = hooksOf(tensor)
      const { qdata, scale, dtype } = tensor as Rows
      const cut = (part: DenseTensor): DenseTensor =>
        sliced(part.shape[dim] === 1 ? part : part.slice(dim, firstOfSlice(start), end))
      return remade(tensor, { qdata: cut(qdata), scale: cut(scale), dtype })
    }),
    base.implement(base.select, (tensor, dim, index) => {
      const { selectedRow = (row) => row } = hooksOf(tensor)
      const { qdata, scale, dtype } = tensor as Rows
      const pick = (part: DenseTensor): DenseTensor => part.select(dim, selectedRow(index))
      return remade(tensor, { qdata: pick(qdata), scale: pick(scale), dtype })
    }),
    base.implement(base.transpose, (tensor, a, b) => {
      const { transposed = (fields) => fields } = hooksOf(tensor)
      const { qdata, scale, dtype } = tensor as Rows
      const fields = { qdata: qdata.transpose(a, b), scale: scale.transpose(a, b), dtype }
      return remade(tensor, transposed(fields))
    }),
    base.implement(base.cat, (tensors, dim = 0) => {
      const { cat = (fields) => fields } = hooksOf(tensors[0])
      const weights = cat(tensors as readonly Rows[])
      const { scale, dtype } = weights[0] as RowsFields
      const join = (parts: readonly DenseTensor[]): DenseTensor =>
        base.asDense(base.cat(parts, dim))
      const scales = dim === 0 ? join(weights.map((each) => each.scale)) : scale
      return remade(tensors[0], {
        qdata: join(weights.map(({ qdata }) => qdata)),
        scale: scales,
        dtype,
      })
    }),
  ]

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor

  constructor(fields: RowsFields) {
    super({ ...fields }, fields.qdata?.shape ?? [], fields.dtype ?? 'float32')
  }

  static fromHp(weight: Tensor): Rows {
    const dtype = weight.dtype as FloatDType
    const [n, k] = weight.shape as [number, number]
    if (weight.device.name === 'meta') {
      return new this({
        qdata: base.zeros([n, k], this.hooks.plannedDType ?? 'int8', base.meta),
        scale: base.zeros([n, 1], 'float32', base.meta),
        dtype,
      })
    }
    const values = base.hostFloat32(weight)
    const scale = Float32Array.from({ length: n }, (_, row) => {
      const peak = values
        .subarray(row * k, (row + 1) * k)
        .reduce((a, x) => Math.max(a, Math.abs(x)), 0)
      return peak === 0 ? (this.hooks.scaleOfZeros ?? 1) : peak / 127
    })
    const codes = values.map((x, i) => Math.round(x / (scale[Math.floor(i / k)] as number)))
    return new this({
      qdata: base.fromFloat32(codes, [n, k], 'int8'),
      scale: base.fromFloat32(scale, [n, 1], 'float32'),
      dtype,
    })
  }

  override dequantize(dtype: base.StoredDType = this.dtype): DenseTensor {
    const values = base.mul(base.cast(this.qdata, 'float32'), this.scale)
    return base.asDense(base.cast(values, dtype))
  }
}

function hooksOf(tensor: Tensor | undefined): Hooks {
  return ((tensor as Rows).constructor as typeof Rows).hooks
}

/** A tensor of the class of `tensor`. */
function remade(tensor: Tensor | undefined, fields: RowsFields): Rows {
  return new ((tensor as Rows).constructor as typeof Rows)(fields)
}

/** @file An int8 weight as kernels bind it. */

import { isFloatDType, type DenseTensor } from '@ao/base-tensor'
import type { Defines, GPU, TensorRange } from '@ao/kernels-webgpu'
import { elementDefines } from '@ao/quant-primitives/webgpu'
import type { Int8Weight } from '../linear-ops.ts'

/** When kernels take a weight, for people. */
export const TAKES = 'an int8 weight with floating scales, and zero points of int8 if any'

/** Whether kernels take `weight`. */
export function takesWeight([qdata, scale, zeroPoint]: Int8Weight): boolean {
  const isInt8 = qdata.dtype === 'int8' && (zeroPoint?.dtype ?? 'int8') === 'int8'
  return isInt8 && isFloatDType(scale.dtype) && qdata.numel > 0
}

/** The parts of a weight (N, K), to bind. */
export interface BoundWeight {
  readonly n: number
  readonly k: number
  readonly codes: DenseTensor
  readonly scales: DenseTensor
  readonly zeros: DenseTensor | undefined
  /** Rows, and codes along K, that share a scale. */
  readonly scaleRows: number
  readonly group: number
  readonly defines: Defines
}

/** `weight` for programs with `product.wgsl`. */
export function boundWeight(gpu: GPU, [qdata, scale, zeroPoint]: Int8Weight): BoundWeight {
  const [n, k] = qdata.shape as [number, number]
  const [rowBlocks, groups] = scale.shape as [number, number]
  const [codes, scales] = [gpu.dense(qdata), gpu.dense(scale)]
  const zeros = zeroPoint && gpu.dense(zeroPoint)
  const group = k / groups
  return {
    ...{ n, k, codes, scales, zeros, scaleRows: n / rowBlocks, group },
    defines: {
      FOURS: k % 4 === 0,
      GROUPS: groups > 1,
      GROUP_FOURS: group % 4 === 0,
      ...elementDefines('SCALE', scales),
      ...(zeros && elementDefines('ZERO', zeros)),
    },
  }
}

/** Rows of a matrix that one dispatch sees. */
export interface Rows {
  readonly first: number
  readonly count: number
}

/** `rows` rows in parts that bindings can show, and that may begin where bindings may: usually one. */
export function rowParts({ capabilities }: GPU, rows: number, rowBytes: number): Rows[] {
  const most = Math.max(Math.floor(capabilities.maxBindingSize / rowBytes / 256) * 256, 256)
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, rows - i * most),
  }))
}

/** Those rows of `tensor`. */
export function rangeOf(
  tensor: DenseTensor,
  { first, count }: Rows,
  rowBytes: number,
): TensorRange {
  return { tensor, offset: first * rowBytes, size: count * rowBytes }
}

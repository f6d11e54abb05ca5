/** @file What arithmetic in shaders rounds to, as defines and params. */

import { finfo, type FloatDType } from '@ao/base-tensor'
import type { Defines, Param } from '@ao/kernels-webgpu'
import type { MappingType, QuantBounds } from '../bounds.ts'
import { safeLimit } from '../qparams-rules.ts'

/** The WGSL functions that round; nothing for float32, which arithmetic rounds to by itself. */
const ROUNDING = { float32: '', float16: 'round_f16', bfloat16: 'round_bf16' } as const

/** Defines `ROUND_<step>` of steps and the dtypes that they round to. */
export function roundingDefines(steps: Readonly<Record<string, FloatDType>>): Defines {
  const entries = Object.entries(steps)
  return Object.fromEntries(entries.map(([step, dtype]) => [`ROUND_${step}`, ROUNDING[dtype]]))
}

/** How a block's range becomes a scale and a zero point. */
export type RangeRule = MappingType | 'TINYGEMM' | 'INT4' | 'INT4_SYMMETRIC'

/**
 * Defines of `qparamsWgsl` for a computation in `dtype`.
 *
 * @param withZero - whether an asymmetric range is widened to include zero
 */
export function ruleDefines(
  mapping: RangeRule,
  dtype: FloatDType,
  withZero: boolean = true,
): Defines {
  return { MAPPING: mapping, ROUND: ROUNDING[dtype], WITH_ZERO: withZero }
}

/**
 * Defines that keep qparams, and what codes stand for, finite.
 *
 * @param valueDtype - what codes stand for numbers of
 * @param dtype - what qparams are computed in
 */
export function finiteDefines(
  bounds: QuantBounds,
  valueDtype: FloatDType,
  dtype: FloatDType = valueDtype,
): Defines {
  const limit = safeLimit(valueDtype, bounds)
  return { FINITE: true, LARGEST: `${finfo(dtype).max}f`, LIMIT: `${limit}f` }
}

/** The struct `Rule` of `qparamsWgsl`, 16 bytes; `eps` in the dtype of the computation. */
export function ruleParams({ quantMin, quantMax }: QuantBounds, eps: number): Param[] {
  return [{ f32: quantMin }, { f32: quantMax }, { f32: eps }, 0]
}

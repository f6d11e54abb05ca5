/**
 * @file SINQ: a scale for each row of a group and one for each column.
 *
 * Rows and columns are divided by their spread in turn until both are even, so that an outlier costs
 * precision neither to its whole row nor to its whole column.
 */

import {
  castArray,
  defineOp,
  fromArray,
  fromFloat32,
  hostArray,
  hostFloat32,
  roundHalfToEven,
  rounder,
  ShapeError,
  toFloat32Array,
  ValueError,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { clamp, clampMin, floatDTypeOf } from './arithmetic.ts'

/** The smallest spread and the smallest scale. */
const SMALLEST = 1e-8

/** Options of {@link chooseQparamsAndQuantizeScaleOnlySinq}. */
export interface SinqOptions {
  /** -8 unless given. */
  readonly quantMin?: number
  /** 7 unless given. */
  readonly quantMax?: number
  /** 64 unless given. */
  readonly groupSize?: number
  /** Times that columns and rows are evened out; 20 unless given. */
  readonly niter?: number
  /** dtype of all steps and of the scales; float16 unless given. */
  readonly computeDtype?: FloatDType
}

/** `w = qdata * scaleRow * scaleCol`, with `scaleRow` repeated over its group. */
export interface SinqQuantized {
  /** int8, in the input's shape (N, K). */
  readonly qdata: Tensor
  /** (N, K / groupSize) */
  readonly scaleRow: Tensor
  /** (K): the scales of a group's columns, the same for every group of a row. */
  readonly scaleCol: Tensor
}

type Args = [input: Tensor, options?: SinqOptions]

/**
 * Codes with a scale for rows of groups and one for their columns; torchao's
 * `_choose_qparams_and_quantize_scale_only_sinq`.
 *
 * @throws {@link DTypeError} for an input that is not floating
 * @throws {@link ShapeError} unless `input` is (N, K) and `groupSize` divides K
 * @throws {@link ValueError} unless codes are within int8
 */
export const chooseQparamsAndQuantizeScaleOnlySinq: Op<Args, SinqQuantized> =
  /* @__PURE__ */ defineOp({
    name: 'chooseQparamsAndQuantizeScaleOnlySinq',
    takes: 'to?',
    reference: (...[input, options = {}]: Args): SinqQuantized => {
      const plan = sinqPlan(input, options)
      const { rows, columns, computeDtype } = plan
      const matrix: Matrix = {
        weights: inDtype(input, computeDtype),
        rows,
        columns,
        round: rounder(computeDtype),
      }
      const factors = evenOut(matrix, plan.niter)
      const { codes, scale } = quantizeRows(matrix, plan.quantMin, plan.quantMax)
      const scaleRow = scale.map((s, row) => s * (factors.row[row] as number))
      const scaleCol = new Float32Array(plan.k).map((_, c) => factors.column[c % columns] as number)
      return {
        qdata: fromArray(codes, input.shape, 'int8'),
        scaleRow: fromFloat32(scaleRow, plan.rowShape, computeDtype),
        scaleCol: fromFloat32(scaleCol, [plan.k], computeDtype),
      }
    },
    meta: (...[input, options = {}]: Args): SinqQuantized => {
      const { rowShape, k, computeDtype } = sinqPlan(input, options)
      return {
        qdata: zeros(input.shape, 'int8', input.device),
        scaleRow: zeros(rowShape, computeDtype, input.device),
        scaleCol: zeros([k], computeDtype, input.device),
      }
    },
  })

/** Groups as rows: (N * K / groupSize, groupSize). */
interface Matrix {
  readonly weights: Float32Array
  readonly rows: number
  readonly columns: number
  readonly round: (x: number) => number
}

/** A copy of the elements, rounded to `dtype`, as numbers. */
function inDtype(input: Tensor, dtype: FloatDType): Float32Array {
  if (dtype === 'float32') return hostFloat32(input).slice()
  const { dtype: from } = input
  return toFloat32Array(castArray(hostArray(input), from, dtype), dtype)
}

/** Divides columns and rows by their spread, in place; returns all that was divided out. */
function evenOut(matrix: Matrix, niter: number): { row: Float32Array; column: Float32Array } {
  const { weights, rows, columns, round } = matrix
  const row = new Float32Array(rows).fill(1)
  const column = new Float32Array(columns).fill(1)
  const smallest = round(SMALLEST)
  const spreads = [...columnSpreads(matrix), ...rowSpreads(matrix)]
  const target = clampMin(
    spreads.reduce((a, b) => Math.min(a, b), Infinity),
    smallest,
  )
  const factor = (spread: number): number => clampMin(round(spread / target), smallest)
  for (let i = 0; i < niter; i++) {
    const byColumn = columnSpreads(matrix).map(factor)
    scaleBy(weights, (at) => byColumn[at % columns] as number, round)
    byColumn.forEach((f, c) => (column[c] = round((column[c] as number) * f)))
    const byRow = rowSpreads(matrix).map(factor)
    scaleBy(weights, (at) => byRow[Math.floor(at / columns)] as number, round)
    byRow.forEach((f, r) => (row[r] = round((row[r] as number) * f)))
  }
  return { row, column }
}

function scaleBy(
  weights: Float32Array,
  divisor: (at: number) => number,
  round: (x: number) => number,
): void {
  for (let i = 0; i < weights.length; i++) {
    weights[i] = round(Math.fround((weights[i] as number) / divisor(i)))
  }
}

function columnSpreads({ weights, rows, columns, round }: Matrix): Float32Array {
  return new Float32Array(columns).map((_, c) => round(spread(weights, c, columns, rows)))
}

function rowSpreads({ weights, rows, columns, round }: Matrix): Float32Array {
  return new Float32Array(rows).map((_, r) => round(spread(weights, r * columns, 1, columns)))
}

/** The unbiased standard deviation of `count` elements. */
function spread(weights: Float32Array, start: number, stride: number, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += weights[start + i * stride] as number
  const mean = sum / count
  let squares = 0
  for (let i = 0; i < count; i++) squares += ((weights[start + i * stride] as number) - mean) ** 2
  return Math.fround(Math.sqrt(squares / (count - 1)))
}

function quantizeRows(
  { weights, rows, columns, round }: Matrix,
  quantMin: number,
  quantMax: number,
): { codes: Int8Array; scale: Float32Array } {
  const codes = new Int8Array(weights.length)
  const scale = new Float32Array(rows).map((_, r) => {
    const row = weights.subarray(r * columns, (r + 1) * columns)
    const amax = row.reduce((largest, w) => Math.max(largest, Math.abs(w)), 0)
    return clampMin(round(amax / quantMax), round(SMALLEST))
  })
  for (let i = 0; i < codes.length; i++) {
    const quotient = round((weights[i] as number) / (scale[Math.floor(i / columns)] as number))
    codes[i] = clamp(roundHalfToEven(quotient), quantMin, quantMax)
  }
  return { codes, scale }
}

interface SinqPlan extends Required<SinqOptions> {
  readonly k: number
  readonly rows: number
  readonly columns: number
  readonly rowShape: readonly number[]
}

function sinqPlan(input: Tensor, options: SinqOptions): SinqPlan {
  floatDTypeOf(input)
  const plan = {
    quantMin: -8,
    quantMax: 7,
    groupSize: 64,
    niter: 20,
    computeDtype: 'float16' as const,
    ...options,
  }
  const [n, k] = input.shape as readonly [number, number]
  const { groupSize, quantMin, quantMax } = plan
  if (input.ndim !== 2 || !(groupSize >= 1) || k % groupSize !== 0) {
    throw fail(
      ShapeError,
      'groupSize to divide the rows of an input [N, K]',
      `${groupSize} for [${input.shape.join(', ')}]`,
    )
  }
  if (!(quantMin >= -128 && quantMin < quantMax && quantMax <= 127)) {
    throw fail(ValueError, 'quantMin below quantMax, both within int8', `${quantMin}..${quantMax}`)
  }
  const groups = k / groupSize
  return { ...plan, k, rows: n * groups, columns: groupSize, rowShape: [n, groups] }
}

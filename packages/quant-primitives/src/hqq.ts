/**
 * @file Half-quadratic quantization: codes and parameters chosen together, by iterations that lower the
 * error of what comes out.
 *
 * Weights are held group by group, one group after the other, whatever the axis they were taken along.
 */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  roundHalfToEven,
  rounder,
  ShapeError,
  ValueError,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { floatDTypeOf } from './arithmetic.ts'
import {
  optimizeWeightsProximalLegacy,
  quantizeGroups,
  type HqqOptimizer,
} from './hqq-optimizer.ts'

/** Inverse steps beyond this overflow float16, so constant groups get it. */
const MAX_INVERSE_SCALE = 2e4

/** Options of {@link chooseQparamsAndQuantizeAffineHqq}. */
export interface HqqOptions {
  /** Bits of a code, 1 to 8; 4 unless given. */
  readonly nbits?: number
  /** Elements that share a scale; 64 unless given. */
  readonly groupSize?: number
  /** Whether zero points are optimized; true unless given. */
  readonly optimize?: boolean
  /** 1 (unless given): groups are neighbours in memory. 0: they are columns of `[groupSize, ...]`. */
  readonly axis?: 0 | 1
  /** dtype of the scales and zero points; float16 unless given. */
  readonly computeDtype?: FloatDType
  /**
   * Which form the parameters have. false (unless given): `w = (q - 2^(nbits-1)) * scale + zeroPoint`,
   * in shape [groups, 1]. true: `w = (q - zeroPoint) * scale`, in shape [N, K / groupSize].
   */
  readonly rawOutput?: boolean
  /** What moves zero points closer to the weight. */
  readonly optimizeWeights?: HqqOptimizer
}

/** What HQQ chooses. */
export interface HqqQuantized {
  /** Codes from 0 on, as uint8 in the input's shape. */
  readonly qdata: Tensor
  readonly scale: Tensor
  readonly zeroPoint: Tensor
}

type AffineArgs = [input: Tensor, options?: HqqOptions]

/**
 * Codes, scales and zero points with the least error for weights; torchao's
 * `_choose_qparams_and_quantize_affine_hqq`.
 *
 * The scale follows from each group's range; only the zero point is optimized. Iterations run in
 * float32, as torchao's do on the CPU.
 *
 * @throws {@link DTypeError} for an input that is not floating
 * @throws {@link ShapeError} when groups do not divide the input
 * @throws {@link ValueError} for `nbits` or `axis` out of range
 */
export const chooseQparamsAndQuantizeAffineHqq: Op<AffineArgs, HqqQuantized> =
  /* @__PURE__ */ defineOp({
    name: 'chooseQparamsAndQuantizeAffineHqq',
    takes: 'to?',
    reference: (...[input, options = {}]: AffineArgs): HqqQuantized => {
      const plan = affinePlan(input, options)
      const { groupSize, computeDtype, axis } = plan
      const maxCode = 2 ** plan.nbits - 1
      const weights = toGroups(hostFloat32(input), groupSize, axis)
      const start = groupRange(weights, groupSize, maxCode, plan.nbits === 4)
      const chosen = plan.optimize
        ? plan.optimizeWeights(weights, start, maxCode)
        : withoutOptimization(weights, start, maxCode, computeDtype)
      const round = rounder(plan.optimize ? 'float32' : computeDtype)
      const scale = chosen.scale.map((inverse) => round(1 / inverse))
      const zeroPoint = plan.rawOutput
        ? chosen.zero
        : chosen.zero.map((zero, g) => round(middleValue(plan.nbits, zero, scale[g] as number)))
      return {
        qdata: fromArray(fromGroups(chosen.codes, groupSize, axis), input.shape, 'uint8'),
        scale: fromFloat32(scale, plan.shape, computeDtype),
        zeroPoint: fromFloat32(zeroPoint, plan.shape, computeDtype),
      }
    },
    meta: (...[input, options = {}]: AffineArgs): HqqQuantized => {
      const { shape, computeDtype } = affinePlan(input, options)
      return {
        qdata: zeros(input.shape, 'uint8', input.device),
        scale: zeros(shape, computeDtype, input.device),
        zeroPoint: zeros(shape, computeDtype, input.device),
      }
    },
  })

/** The value that the middle code stands for. */
function middleValue(nbits: number, zero: number, scale: number): number {
  return Math.fround(Math.fround(2 ** (nbits - 1) - zero) * scale)
}

interface AffinePlan extends Required<HqqOptions> {
  /** Of scales and zero points. */
  readonly shape: readonly number[]
}

function affinePlan(input: Tensor, options: HqqOptions): AffinePlan {
  floatDTypeOf(input)
  const plan = {
    nbits: 4,
    groupSize: 64,
    optimize: true,
    axis: 1 as const,
    computeDtype: 'float16' as const,
    rawOutput: false,
    optimizeWeights: optimizeWeightsProximalLegacy,
    ...options,
  }
  const { nbits, groupSize, axis } = plan
  if (!(Number.isInteger(nbits) && nbits >= 1 && nbits <= 8) || (axis !== 0 && axis !== 1)) {
    throw fail(
      ValueError,
      'nbits in 1..8 and axis 0 or 1',
      `nbits ${nbits} and axis ${String(axis)}`,
    )
  }
  if (!(Number.isInteger(groupSize) && groupSize >= 1) || input.numel % groupSize !== 0) {
    throw fail(ShapeError, `groupSize to divide ${input.numel} elements`, groupSize)
  }
  return { ...plan, shape: affineShape(input, plan) }
}

function affineShape(input: Tensor, plan: Required<HqqOptions>): readonly number[] {
  const groups = input.numel / plan.groupSize
  if (!plan.rawOutput) return plan.axis === 1 ? [groups, 1] : [1, groups]
  const kept = (plan.axis === 1 ? input.shape[0] : input.shape.at(-1)) ?? 1
  if (groups % kept !== 0) {
    throw fail(ShapeError, `a multiple of ${kept} groups to show along axis ${plan.axis}`, groups)
  }
  return plan.axis === 1 ? [kept, groups / kept] : [groups / kept, kept]
}

/** Elements in the order of their groups. */
function toGroups(values: Float32Array, groupSize: number, axis: 0 | 1): Float32Array {
  if (axis === 1) return values
  const groups = values.length / groupSize
  return values.map((_, at) => {
    return values[(at % groupSize) * groups + Math.floor(at / groupSize)] as number
  })
}

/** {@link toGroups} undone. */
function fromGroups(codes: Uint8Array, groupSize: number, axis: 0 | 1): Uint8Array {
  if (axis === 1) return codes
  const groups = codes.length / groupSize
  return codes.map((_, at) => codes[(at % groups) * groupSize + Math.floor(at / groups)] as number)
}

/** Inverse scales and zero points that spread each group's range over all codes. */
function groupRange(
  weights: Float32Array,
  groupSize: number,
  maxCode: number,
  roundZero: boolean,
): { scale: Float32Array; zero: Float32Array } {
  const groups = weights.length / groupSize
  const scale = new Float32Array(groups)
  const zero = new Float32Array(groups)
  for (let g = 0; g < groups; g++) {
    const group = weights.subarray(g * groupSize, (g + 1) * groupSize)
    const min = group.reduce((a, b) => Math.min(a, b), Infinity)
    const max = group.reduce((a, b) => Math.max(a, b), -Infinity)
    const step = Math.fround(max - min)
    // PyTorch divides a number by a tensor through the reciprocal.
    scale[g] = Math.min(Math.fround(1 / step) * maxCode, MAX_INVERSE_SCALE)
    const exact = Math.fround(-min * (scale[g] as number))
    zero[g] = roundZero ? roundHalfToEven(exact) : exact
  }
  return { scale, zero }
}

function withoutOptimization(
  weights: Float32Array,
  start: { scale: Float32Array; zero: Float32Array },
  maxCode: number,
  computeDtype: FloatDType,
): { codes: Uint8Array; scale: Float32Array; zero: Float32Array } {
  const round = rounder(computeDtype)
  const scale = start.scale.map(round)
  const zero = start.zero.map(round)
  return { codes: quantizeGroups(weights, scale, zero, maxCode), scale, zero }
}

/** @file Quantizing: padding, codes, and scales with zero points, for each algorithm. */

import {
  asDense,
  cast,
  cat,
  DTypeError,
  hostFloat32,
  select,
  unsqueeze,
  ValueError,
  zeros,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import {
  chooseQparamsAffineTinygemm,
  chooseQparamsAndQuantizeAffineHqq,
  optimizeWeightsProximalLegacy,
  quantizeAffineTinygemm,
} from '@ao/quant-primitives'
import { valueOfMiddleCode, type Int4ChooseQparamsAlgorithm } from '@ao/quantized-linear'
import { checkBlockSize, K_MULTIPLE, PACKAGE, roundUp, TILE_ROWS } from './layout.ts'

const BOUNDS = { quantMin: 0, quantMax: 15 } as const

/** Codes (..., N, K) of uint8; scales and zero points (..., N, K / g). */
export interface Int4Quantized {
  readonly codes: Tensor
  readonly scale: Tensor
  readonly zeroPoint: Tensor
}

/**
 * Quantizes a padded weight, (N, K) or (E, N, K), by `algorithm`.
 *
 * @remarks HQQ takes experts one by one, since it stops by the mean error of all that it sees.
 */
export function quantizePadded(
  weight: DenseTensor,
  blockSize: readonly number[],
  algorithm: Int4ChooseQparamsAlgorithm,
): Int4Quantized {
  if (algorithm === 'TINYGEMM') return quantizeTinygemm(weight, blockSize)
  const groupSize = blockSize.at(-1) as number
  if (weight.ndim === 2) return quantizeHqq(weight, groupSize)
  const experts = Array.from({ length: weight.shape[0] as number }, (_, e) =>
    quantizeHqq(select(weight, 0, e), groupSize),
  )
  const stacked = (name: keyof Int4Quantized): Tensor =>
    cat(experts.map((expert) => unsqueeze(expert[name], 0)))
  return { codes: stacked('codes'), scale: stacked('scale'), zeroPoint: stacked('zeroPoint') }
}

function quantizeTinygemm(weight: DenseTensor, blockSize: readonly number[]): Int4Quantized {
  const { scale, zeroPoint } = chooseQparamsAffineTinygemm(
    weight,
    'ASYMMETRIC',
    blockSize,
    'int32',
    { ...BOUNDS, keepdim: true, finite: true },
  )
  const options = { ...BOUNDS, finite: true }
  const codes = quantizeAffineTinygemm(weight, blockSize, scale, zeroPoint, 'uint8', options)
  return { codes, scale, zeroPoint }
}

/** Iterates in float16, as torchao does on a GPU, the only place where it makes this format. */
function quantizeHqq(weight: Tensor, groupSize: number): Int4Quantized {
  const { qdata, scale, zeroPoint } = chooseQparamsAndQuantizeAffineHqq(weight, {
    nbits: 4,
    groupSize,
    computeDtype: 'float16',
    rawOutput: true,
    optimizeWeights: (...problem) =>
      optimizeWeightsProximalLegacy(...problem, { computeDtype: 'float16' }),
  })
  checkSolved(weight, scale, zeroPoint)
  return {
    codes: qdata,
    scale: cast(scale, 'bfloat16'),
    zeroPoint: cast(valueOfMiddleCode(zeroPoint, scale), 'bfloat16'),
  }
}

/** @throws {@link ValueError} where numbers of `weight` are beyond what HQQ computes with */
function checkSolved(weight: Tensor, ...solved: readonly Tensor[]): void {
  if (!weight.device.isHost) return
  if (solved.every((part) => hostFloat32(part).every(Number.isFinite))) return
  throw new ValueError({
    package: PACKAGE,
    expected:
      'weights that HQQ can compute with in float16: within 65504 of 0, and within 3.2 where all of a group are equal',
    got: `weights up to ${hostFloat32(weight).reduce((peak, x) => Math.max(peak, Math.abs(x)), 0)}`,
    cure: 'Use the algorithm TINYGEMM for this weight.',
  })
}

/** Sizes (N, K) of a weight of this shape when it is padded. */
export function paddedSizes(shape: readonly number[], ntileSize: number): [number, number] {
  const [n, k] = shape.slice(-2) as [number, number]
  return [roundUp(n, ntileSize), roundUp(k, K_MULTIPLE)]
}

/** `tensor` with zeros after the ends of its last two dimensions; itself where there are none to add. */
export function padded(
  tensor: DenseTensor,
  [rows, columns]: readonly [number, number],
): DenseTensor {
  const [n, k] = tensor.shape.slice(-2) as [number, number]
  if (n === rows && k === columns) return tensor
  const shape = [...tensor.shape.slice(0, -2), rows, columns]
  const out = zeros(shape, tensor.dtype, tensor.device)
  out.narrow(-2, 0, n).narrow(-1, 0, k).copy_(tensor)
  return out
}

/**
 * @throws {@link DTypeError}, {@link ShapeError} or {@link ValueError} for weights, groups and tiles that
 * the format does not take
 */
export function checkQuantizable(
  weight: Tensor,
  blockSize: readonly number[],
  ntileSize: number,
): DenseTensor {
  if (weight.dtype !== 'bfloat16') {
    throw new DTypeError({
      package: PACKAGE,
      expected: 'a weight of bfloat16',
      got: weight.dtype,
      cure: "Use cast(weight, 'bfloat16') first.",
    })
  }
  checkBlockSize(weight.shape, blockSize)
  if (ntileSize !== TILE_ROWS && ntileSize !== 2 * TILE_ROWS) {
    throw new ValueError({
      package: PACKAGE,
      expected: 'an ntileSize of 8 or 16',
      got: String(ntileSize),
    })
  }
  return asDense(weight, 'the weight')
}

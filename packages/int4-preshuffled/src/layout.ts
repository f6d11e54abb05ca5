/**
 * @file What a preshuffled int4 weight is made of.
 *
 * A decode step multiplies one input row with the whole weight, so its time is that of reading the
 * weight. The order of the parts is made for that: each lane (one thread of a GPU's subgroup) reads 16
 * bytes that it multiplies next, and neighbouring lanes read neighbouring 16 bytes.
 *
 *     chunk   32 codes of one row, k = 32 c .. 32 c + 31: what a lane loads at once, as vec4<u32>.
 *             Component i holds k = 32 c + 8 i + 0..7, even k in the low half and odd k in the high half:
 *
 *             bit  31-28 27-24 23-20 19-16 | 15-12 11-8  7-4  3-0
 *             k      7     5     3     1   |   6     4    2    0
 *
 *             so that (word >> 4 j) & 0x000f000f are the neighbours k = 2 j (low) and 2 j + 1 (high), and
 *             with | 0x64006400, as vec2<f16>, they are 1024 + code without a conversion.
 *     row     its chunks in order, so that lanes along K read on where the lane before them ends
 *     band    four rows, for which a lane loads its 32 inputs once
 *
 *     value = (code - 8) * groupScale + groupZero
 *     value = (code - 8) * groupScale * rowScale      for inputs that are rounded to float8
 *
 * `qdata` (4 bands, K / 8) has whole bands: N is padded to a multiple of 4. `groupScale` and `groupZero`,
 * (bands, K / g, 4), have those of a band's four rows side by side: a lane reads four with one load, and
 * lanes of neighbouring groups read on from there. Padding is zeros throughout, and a scale of 0 makes
 * these rows 0. K is never padded: groups are of 32 codes, or a multiple.
 */

import {
  checkDType,
  checkShape,
  DTypeError,
  isFloatDType,
  ValueError,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { groupBlockSize, type Int4Codes } from '@ao/quantized-linear'

export const PACKAGE = '@ao/int4-preshuffled'

/** Rows that share a lane's inputs. */
export const BAND_ROWS = 4

/** Codes that a lane loads at once: 16 bytes. */
export const LANE_CODES = 32

/** Codes in one of the four words of those. */
export const WORD_CODES = 8

/** The inner tensors and attributes of an `Int4PreshuffledTensor`. */
export interface Int4PreshuffledFields {
  /** int32 words of 8 codes 0..15: (4 bands, K / 8), of experts (E, 4 bands, K / 8). */
  readonly qdata: DenseTensor
  /** (bands, K / g, 4), in `dtype`; of float8_e4m3fn where there is a rowScale. */
  readonly groupScale: DenseTensor
  /** The value of code 8, as groupScale. */
  readonly groupZero?: DenseTensor | undefined
  /** float32 (bands, 4): for inputs of float8, in place of zeros. */
  readonly rowScale?: DenseTensor | undefined
  /** Ones, and the group size along K: a multiple of 32. */
  readonly blockSize: readonly number[]
  /** Shape of the weight that this stands for. */
  readonly shape: readonly number[]
  /** Dtype of that weight. */
  readonly dtype: FloatDType
}

/** Bands of `n` rows. */
export function bandsOf(n: number): number {
  return Math.ceil(n / BAND_ROWS)
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: Int4PreshuffledFields): void {
  const { qdata, groupScale, groupZero, rowScale, blockSize, shape, dtype } = fields
  checkBlockSize(blockSize, shape)
  const [n, k] = shape.slice(-2) as [number, number]
  const lead = shape.slice(0, -2)
  const groups = [...lead, bandsOf(n), k / (blockSize.at(-1) as number), BAND_ROWS]
  checkPart('qdata', qdata, 'int32', [...lead, bandsOf(n) * BAND_ROWS, k / WORD_CODES])
  if (rowScale) checkPart('groupScale', groupScale, 'float8_e4m3fn', groups)
  else checkPart('groupScale (without rowScale)', groupScale, dtype, groups)
  if (groupZero && rowScale) {
    throw new ValueError({
      package: PACKAGE,
      expected: 'groupZero or rowScale',
      got: 'both',
      cure: 'Weights for float8 inputs have no zero points.',
    })
  }
  if (groupZero) checkPart('groupZero', groupZero, dtype, groups)
  if (rowScale) checkPart('rowScale', rowScale, 'float32', [...lead, bandsOf(n), BAND_ROWS])
}

/** @throws {@link ValueError} unless `blockSize` is ones and a multiple of 32 that divides K */
export function checkBlockSize(blockSize: readonly number[], shape: readonly number[]): void {
  const groupSize = blockSize.at(-1) as number
  const fits =
    (shape.length === 2 || shape.length === 3) &&
    blockSize.length === shape.length &&
    blockSize.slice(0, -1).every((size) => size === 1) &&
    groupSize > 0 &&
    groupSize % LANE_CODES === 0 &&
    (shape.at(-1) as number) % groupSize === 0
  if (fits) return
  throw new ValueError({
    package: PACKAGE,
    expected: `a block size of ones and a group size that divides K, for a weight (N, K) or (E, N, K)`,
    got: `[${blockSize.join(', ')}] for [${shape.join(', ')}]`,
    cure: 'Group sizes are multiples of 32: 32, 64, 128 or 256.',
  })
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkCodes({ codes, scale, zeroPoint, groupSize, dtype }: Int4Codes): void {
  checkBlockSize(groupBlockSize(codes.ndim, groupSize), codes.shape)
  checkPart('codes', codes, 'uint8', codes.shape)
  if (!isFloatDType(dtype)) {
    throw new DTypeError({
      package: PACKAGE,
      expected: 'scales of float32, float16 or bfloat16',
      got: dtype,
    })
  }
  const [n, k] = codes.shape.slice(-2) as [number, number]
  const groups = [...codes.shape.slice(0, -2), k / groupSize, n]
  checkPart('scale', scale, dtype, groups)
  if (zeroPoint?.domain === 'INT') {
    throw new ValueError({
      package: PACKAGE,
      expected: 'codes with a floating zero point, or none',
      got: 'an integer one',
      cure: 'Quantize the float weight with Int4PreshuffledTensor.fromHp instead.',
    })
  }
  if (zeroPoint) checkPart('zeroPoint', zeroPoint.values, dtype, groups)
}

/** @throws {@link DTypeError} or {@link ShapeError} unless `tensor` is of that dtype and shape */
export function checkPart(
  name: string,
  tensor: Tensor,
  dtype: StoredDType,
  shape: readonly number[],
): void {
  checkDType(name, tensor, dtype, PACKAGE)
  checkShape(name, tensor, shape, PACKAGE)
}

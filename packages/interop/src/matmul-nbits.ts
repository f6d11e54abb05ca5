/**
 * @file ONNX Runtime's `MatMulNBits` (domain com.microsoft, version 1): `Y = A @ dequantized(B)^T`.
 *
 *     B          uint8 (N, K / block_size, block_size * bits / 8): codes along K
 *                4 bits: byte j of a block holds code 2j in its low half, code 2j + 1 in its high half
 *     scales     of A's dtype, N * K / block_size in a row: one a block
 *     zeroPoints uint8, packed as B is, the blocks of a row padded to whole bytes;
 *                or of A's dtype, one a block, not always whole numbers;
 *                or none: 8 of 4 bits, 128 of 8 bits
 *
 *     value = (code - zeroPoint) * scale
 */

import {
  fromArray,
  fromFloat32,
  hostArray,
  hostFloat32,
  isFloatDType,
  rounder,
  ShapeError,
  ValueError,
  type FloatDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { packNibbles, unpackNibbles } from '@ao/quantized-linear'
import { type Int4Codes } from '@ao/quantized-linear'
import { bytesOf } from './bytes.ts'
import {
  INT4_CENTER,
  INT4_RANGE,
  readInt4Codes,
  readGroupedInt8Codes,
  writeFloatInt4Codes,
  writeInt4Codes,
  writeGroupedInt8Codes,
  type GroupedInt8Codes,
} from './codes.ts'
import { describe, PACKAGE } from './errors.ts'
import { fitWholeZeroPoints, withFloat16Scales } from './fit.ts'
import { splitGroups, type Groups } from './groups.ts'
import { measureRounding, type Converted, type RoundingOptions } from './rounding.ts'

/** The constant inputs and the attributes of one `MatMulNBits` node. */
export interface MatMulNBits {
  readonly B: Tensor
  readonly scales: Tensor
  readonly zeroPoints?: Tensor | undefined
  /** Under ONNX's names. */
  readonly attributes: MatMulNBitsAttributes
}

/** Attributes of the operator, named as ONNX Runtime names them. */
export interface MatMulNBitsAttributes {
  readonly K: number
  readonly N: number
  readonly bits: 4 | 8
  /** A power of two, from 16 to 256. */
  readonly block_size: number
  /** What A may be rounded to: 0 its own dtype, 4 int8, which is faster. */
  readonly accuracy_level: 0 | 1 | 2 | 3 | 4
}

/** Options of {@link toMatMulNBits8}. */
export interface MatMulNBitsOptions extends RoundingOptions {
  /** A divisor of the codes' group size, and that itself unless given. */
  readonly blockSize?: number | undefined
  /** Of the scales, and so of the node's input and output; float32 unless given. */
  readonly dtype?: 'float32' | 'float16' | undefined
  /** 0 unless given. */
  readonly accuracyLevel?: MatMulNBitsAttributes['accuracy_level'] | undefined
}

/** Options of {@link toMatMulNBits}. */
export interface Int4MatMulNBitsOptions extends MatMulNBitsOptions {
  /**
   * `packed`: whole numbers, which all of ONNX Runtime's devices take. `float`: any, for its CPU, which is slower with
   * them. Unless given, packed where that is exact.
   */
  readonly zeroPoints?: 'packed' | 'float' | undefined
}

/** From int8 codes to the operator's uint8 ones. */
const INT8_SHIFT = 128
const SMALLEST_BLOCK = 16
/** ONNX Runtime refuses models with larger ones. */
const LARGEST_BLOCK = 256

/**
 * A 4-bit weight (N, K) for `MatMulNBits`.
 *
 * @remarks Exact for symmetric codes and for integer zero points. Floating zero points are written as
 * `8 - zeroPoint / scale`, rounded to float32 (about 145 dB, never refused) or float16. With
 * `zeroPoints: 'packed'` they are rounded to whole codes, half a scale at most; groups whose range of codes
 * leaves out 0 are quantized anew.
 *
 * @throws {@link ValueError} for all other rounding without `allowRounding`, and for block sizes that the
 * operator does not take
 */
export function toMatMulNBits(
  codes: Int4Codes,
  options: Int4MatMulNBitsOptions = {},
): MatMulNBits & Converted {
  takes(
    'o<codes:t scale:t groupSize:n dtype:z>o{zeroPoints blockSize dtype accuracyLevel allowRounding}?',
    codes,
    options,
  )
  const { dtype = 'float32', allowRounding = false } = options
  const source = intoBlocks(readInt4Codes(codes), options)
  const fitted = fitWholeZeroPoints(source, INT4_RANGE)
  const whole = fitted.zeroPoint.every((zero, g) => zero === source.zeroPoint[g])
  const packed = options.zeroPoints === undefined ? whole : options.zeroPoints === 'packed'
  const target = withScalesOf(packed ? fitted : withZeroPointsOf(source, dtype), dtype)
  const sqnr = measureRounding(
    source,
    target,
    packed ? `${dtype} scales and whole zero points of 0 to 15` : `${dtype} scales and zero points`,
    { allowRounding: allowRounding || (!packed && dtype === 'float32') },
  )
  const zeroPoints = packed ? packZeroPoints(target) : floatZeroPoints(target, dtype)
  return { ...layOut(target, 4, zeroPoints, options), sqnr }
}

/**
 * An 8-bit weight (N, K) for `MatMulNBits`.
 *
 * @remarks Exact in float32.
 * @throws {@link ValueError} for scales that float16 rounds, without `allowRounding`; for block sizes that
 * the operator does not take
 */
export function toMatMulNBits8(
  codes: GroupedInt8Codes,
  options: MatMulNBitsOptions = {},
): MatMulNBits & Converted {
  takes(
    'o<codes:t scale:t groupSize:n dtype:z>o{blockSize dtype accuracyLevel allowRounding}?',
    codes,
    options,
  )
  const { dtype = 'float32' } = options
  const source = intoBlocks(readGroupedInt8Codes(codes), options)
  const target = withScalesOf(source, dtype)
  const sqnr = measureRounding(source, target, `${dtype} scales`, options)
  const unsigned = flipSigns(bytesOf(source.codes))
  const zeros = Uint8Array.from(source.zeroPoint, (zero) => zero + INT8_SHIFT)
  const implicit = zeros.every((zero) => zero === INT8_SHIFT)
  const zeroPoints = implicit ? undefined : fromArray(zeros, [zeros.length], 'uint8')
  return { ...layOut({ ...target, codes: unsigned }, 8, zeroPoints, options), sqnr }
}

/**
 * The codes of a 4-bit `MatMulNBits`: exact, but for floating zero points, whose product with the scale is
 * rounded to float32.
 *
 * @throws {@link ShapeError} or {@link ValueError} unless the inputs are those of a 4-bit node
 */
export function fromMatMulNBits(weight: MatMulNBits): Int4Codes {
  takes('o<B:t scales:t attributes>', weight)
  const { zeroPoints } = weight
  const groups = readBlocks(weight, 4)
  if (zeroPoints && zeroPoints.dtype !== 'uint8') {
    const zeroPoint = Float64Array.from(hostFloat32(zeroPoints))
    return writeFloatInt4Codes({ ...groups, zeroPoint })
  }
  if (zeroPoints) unpackZeroPoints(hostArray(zeroPoints) as Uint8Array, groups)
  return writeInt4Codes(groups, dtypeOf(weight))
}

/**
 * The codes of an 8-bit `MatMulNBits`: exact.
 *
 * @throws {@link ShapeError} or {@link ValueError} unless the inputs are those of an 8-bit node with whole
 * zero points
 */
export function fromMatMulNBits8(weight: MatMulNBits): GroupedInt8Codes {
  takes('o<B:t scales:t attributes>', weight)
  const { zeroPoints } = weight
  if (zeroPoints && zeroPoints.dtype !== 'uint8') {
    throw new ValueError({
      package: PACKAGE,
      expected: '8-bit zero points of uint8',
      got: zeroPoints.dtype,
    })
  }
  const groups = readBlocks(weight, 8)
  const zeros = zeroPoints && (hostArray(zeroPoints) as Uint8Array)
  const shifted = {
    ...groups,
    codes: new Int8Array(flipSigns(bytesOf(groups.codes)).buffer),
    zeroPoint: groups.zeroPoint.map((zero, g) => (zeros?.[g] ?? zero) - INT8_SHIFT),
  }
  return writeGroupedInt8Codes(shifted, dtypeOf(weight))
}

/** Bytes of int8 numbers as those of uint8 ones that are 128 greater, and the other way round. */
function flipSigns(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes).map((byte) => byte ^ 0x80)
}

/** The groups as blocks of a size that the operator takes. */
function intoBlocks(groups: Groups, { blockSize = groups.groupSize }: MatMulNBitsOptions): Groups {
  const isPowerOfTwo = Number.isInteger(Math.log2(blockSize))
  if (isPowerOfTwo && blockSize >= SMALLEST_BLOCK && blockSize <= LARGEST_BLOCK) {
    return splitGroups(groups, blockSize)
  }
  throw new ValueError({
    package: PACKAGE,
    expected: `a block size of a power of two from ${SMALLEST_BLOCK} to ${LARGEST_BLOCK}`,
    got: String(blockSize),
    cure: `Pass one that divides the group size ${groups.groupSize} as blockSize, if there is one.`,
  })
}

function withScalesOf(groups: Groups, dtype: 'float32' | 'float16'): Groups {
  return dtype === 'float16' ? withFloat16Scales(groups) : groups
}

function withZeroPointsOf(groups: Groups, dtype: FloatDType): Groups {
  return { ...groups, zeroPoint: groups.zeroPoint.map(rounder(dtype)) }
}

function layOut(
  { n, k, groupSize, codes, scale }: Groups,
  bits: 4 | 8,
  zeroPoints: Tensor | undefined,
  { dtype = 'float32', accuracyLevel = 0 }: MatMulNBitsOptions,
): MatMulNBits {
  const shape = [n, k / groupSize, (groupSize * bits) / 8]
  return {
    B: fromArray(bits === 4 ? packNibbles(codes) : codes, shape, 'uint8'),
    scales: fromFloat32(scale, [scale.length], dtype),
    zeroPoints,
    attributes: { K: k, N: n, bits, block_size: groupSize, accuracy_level: accuracyLevel },
  }
}

/** Zero points two to a byte, each row padded to whole bytes; none when all are what that means. */
function packZeroPoints({ n, zeroPoint }: Groups): Tensor | undefined {
  if (zeroPoint.every((zero) => zero === INT4_CENTER)) return undefined
  const blocks = zeroPoint.length / n
  const padded = new Uint8Array(n * (blocks + (blocks % 2)))
  for (let g = 0; g < zeroPoint.length; g++) {
    padded[g + (blocks % 2) * Math.floor(g / blocks)] = zeroPoint[g] as number
  }
  return fromArray(packNibbles(padded), [padded.length / 2], 'uint8')
}

function unpackZeroPoints(packed: Uint8Array, { n, zeroPoint }: Groups): void {
  const blocks = zeroPoint.length / n
  const padded = unpackNibbles(packed)
  for (let g = 0; g < zeroPoint.length; g++) {
    zeroPoint[g] = padded[g + (blocks % 2) * Math.floor(g / blocks)] as number
  }
}

function floatZeroPoints({ zeroPoint }: Groups, dtype: FloatDType): Tensor {
  return fromFloat32(Float32Array.from(zeroPoint), [zeroPoint.length], dtype)
}

/** Codes and scales of a node, with the zero points that it has when none are given. */
function readBlocks({ B, scales, zeroPoints, attributes }: MatMulNBits, bits: 4 | 8): Groups {
  const { N: n, K: k, block_size: groupSize } = attributes
  if (attributes.bits !== bits || k % groupSize !== 0) {
    throw new ValueError({
      package: PACKAGE,
      expected: `a MatMulNBits of ${bits} bits with K a multiple of the block size`,
      got: `${attributes.bits} bits, K = ${k}, block size ${groupSize}`,
    })
  }
  const blocks = k / groupSize
  checkInput('B', B, 'uint8', (n * k * bits) / 8)
  checkInput('scales', scales, scales.dtype, n * blocks)
  const zeros = zeroPoints?.dtype === 'uint8' ? Math.ceil((blocks * bits) / 8) : blocks
  if (zeroPoints) checkInput('zeroPoints', zeroPoints, zeroPoints.dtype, n * zeros)
  const bytes = hostArray(B) as Uint8Array
  return {
    ...{ n, k, groupSize },
    codes: bits === 4 ? unpackNibbles(bytes) : bytes,
    scale: hostFloat32(scales).slice(),
    zeroPoint: new Float64Array(n * blocks).fill(bits === 4 ? INT4_CENTER : INT8_SHIFT),
  }
}

function checkInput(name: string, tensor: Tensor, dtype: string, count: number): void {
  const elements = tensor.shape.reduce((product, size) => product * size, 1)
  if (tensor.dtype === dtype && elements === count) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `${name} of ${count} elements of ${dtype}`,
    got: describe(tensor),
  })
}

function dtypeOf({ scales }: MatMulNBits): FloatDType {
  return isFloatDType(scales.dtype) ? scales.dtype : 'float32'
}

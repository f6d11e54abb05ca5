/**
 * @file A weight (N, K) as gemlite packs it, which is how torchao's files hold it. All parts are transposed:
 *
 * - 4 bits: `packed_weight` is (K / c, N); a number of 8, 16 or 32 bits holds c = 2, 4 or 8 neighbours along K, from
 *   the lowest bits on. `scale` and `zero_point` are (K / g, N). With several groups a row, the latter is the shift
 *   of `value = code * scale + shift`, and otherwise the zero point of `(code - zero_point) * scale`.
 * - 8 bits: `packed_weight` is int8 (K, N), `scale` (1, N), and `zero_point` is empty.
 */

import {
  asDense,
  cast,
  fromArray,
  FormatError,
  hostArray,
  isJsonObject,
  rejectJson,
  UnsupportedOpError,
  zeros,
  type DenseTensor,
  type FloatDType,
  type Json,
  type JsonCodec,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { groupBlockSize, packBits, unpackBits } from '@ao/quantized-linear'
import { fail, type UintxFields } from './layout.ts'
import { shiftsOf, zeroPointsOf } from './quantize.ts'

/** What gemlite keeps of a weight, besides its parts; `meta_args` are numbers for its kernels. */
export interface GemliteKwargs {
  readonly in_features: number
  readonly out_features: number
  /** Bits of a number that holds codes: 8, 16, 32, or null, which is 32. */
  readonly packing_bitwidth: PackingBitwidth | null
  readonly data_contiguous: boolean
  readonly elements_per_sample: number
  readonly W_group_mode: number
  readonly meta_args: readonly number[]
}

/** Bits of a number that holds codes. */
export type PackingBitwidth = 8 | 16 | 32

/** `value = code * scale + shift` and `(code - zero) * scale`, among gemlite's modes. */
const SHIFT = 4
const ZERO_POINT = 3
const SYMMETRIC = 2

/** gemlite's numbers for dtypes. */
const DTYPES: Readonly<Record<FloatDType, number>> = { float32: 0, float16: 1, bfloat16: 2 }

const CONTAINERS: Readonly<Record<PackingBitwidth, StoredDType>> = {
  8: 'uint8',
  16: 'int16',
  32: 'int32',
}

/** What gemlite would say of a weight that was just quantized. */
export function gemliteKwargs(
  { scale, blockSize, bitWidth }: Pick<UintxFields, 'scale' | 'blockSize' | 'bitWidth'>,
  [out_features, in_features]: readonly [n: number, k: number],
  packing: PackingBitwidth | undefined,
): GemliteKwargs {
  const groupSize = blockSize.at(-1) as number
  const isPacked = bitWidth < 8
  const mode = isPacked ? (groupSize === in_features ? ZERO_POINT : SHIFT) : SYMMETRIC
  const perNumber = isPacked ? (packing ?? 32) / bitWidth : 1
  const dtype = DTYPES[scale.dtype as FloatDType]
  return {
    ...{ in_features, out_features, packing_bitwidth: packing ?? null },
    ...{ data_contiguous: isPacked, elements_per_sample: perNumber, W_group_mode: mode },
    meta_args: [
      ...[0, bitWidth, groupSize, 2 ** bitWidth - 1, perNumber],
      ...[dtype, dtype, DTYPES.float32, dtype, 0, mode, Number(isPacked)],
    ],
  }
}

/** Checks what a file says. */
export const gemliteCodec: JsonCodec<GemliteKwargs> = {
  encode: (kwargs) => kwargs as unknown as Json,
  decode: (json, path) => {
    const expected = 'the numbers that gemlite keeps of a weight'
    if (!isJsonObject(json)) return rejectJson(path, expected, json)
    const {
      packing_bitwidth: packing = null,
      data_contiguous: isContiguous,
      meta_args: args,
    } = json
    const isCount = (value: Json | undefined): boolean => Number.isSafeInteger(value)
    const fits =
      ['in_features', 'out_features', 'elements_per_sample', 'W_group_mode'].every((name) =>
        isCount(json[name]),
      ) &&
      (packing === null || packing === 8 || packing === 16 || packing === 32) &&
      typeof isContiguous === 'boolean' &&
      Array.isArray(args) &&
      (args as readonly Json[]).every(isCount)
    if (!fits) rejectJson(path, expected, json)
    const mode = json['W_group_mode']
    if (mode !== SHIFT && mode !== ZERO_POINT && mode !== SYMMETRIC && mode !== 0) {
      rejectJson(`${path}.W_group_mode`, 'one of 0, 2, 3, 4', mode)
    }
    return Object.freeze({ ...json, packing_bitwidth: packing }) as unknown as GemliteKwargs
  },
}

/** Parts in a file. */
export interface GemliteParts {
  readonly packedWeight: DenseTensor
  readonly scale: DenseTensor
  readonly zeroPoint: DenseTensor
}

/** The parts of a weight, a byte for each code. */
export function toGemlite(fields: UintxFields, kwargs: GemliteKwargs): GemliteParts {
  const { qdata, scale, zeroPoint, bitWidth } = fields
  const { packing_bitwidth: packing, W_group_mode: mode } = kwargs
  const isShift = mode === SHIFT
  const zero = isShift ? shiftsOf(zeroPoint, scale) : asDense(cast(zeroPoint, scale.dtype))
  const words = bitWidth < 8 ? numbers(asDense(packBits(qdata, bitWidth)), packing ?? 32) : qdata
  return {
    packedWeight: turned(words),
    scale: turned(scale),
    zeroPoint: bitWidth < 8 ? turned(zero) : zeros([1, 0], 'int32', scale.device),
  }
}

/**
 * The weight that parts and `kwargs` describe.
 *
 * @throws {@link FormatError} unless they fit each other
 */
export function fromGemlite(
  { packedWeight, scale: scales, zeroPoint: stored }: GemliteParts,
  kwargs: GemliteKwargs,
  bitWidth: number,
  groupSize: number,
): Pick<UintxFields, 'qdata' | 'scale' | 'zeroPoint' | 'blockSize'> {
  const { in_features: k, out_features: n, packing_bitwidth: packing, W_group_mode: mode } = kwargs
  const bits = packing ?? 32
  const isPacked = bitWidth < 8
  const rows = isPacked ? (k * bitWidth) / bits : k
  expectPart('packed_weight', packedWeight, [rows, n], isPacked ? CONTAINERS[bits] : 'int8')
  const words = turned(packedWeight)
  const qdata = isPacked ? asDense(unpackBits(wholeWords(words), bitWidth, false)) : words
  const scale = turned(scales)
  const isZero = stored.numel === 0
  if (isPacked) expectPart('zero_point', stored, scales.shape, scales.dtype)
  const zeroPoint = isZero
    ? zeros(scale.shape, 'int8', scale.device)
    : mode === SHIFT
      ? zeroPointsOf(turned(stored), scale)
      : turned(stored)
  return { qdata, scale, zeroPoint, blockSize: groupBlockSize(2, groupSize) }
}

function expectPart(
  name: string,
  part: DenseTensor,
  shape: readonly number[],
  dtype: StoredDType,
): void {
  if (part.shape.join() === shape.join() && part.dtype === dtype) return
  throw fail(FormatError, `${name} to be ${dtype} [${shape.join(', ')}]`, String(part))
}

function turned(part: DenseTensor): DenseTensor {
  return part.transpose(0, 1).contiguous()
}

/** Words (N, K / 8) as numbers of fewer bits, of which each has as many. */
function numbers(words: DenseTensor, bits: PackingBitwidth): DenseTensor {
  const dtype = CONTAINERS[bits]
  if (bits === 32) return words
  const [n, columns] = words.shape as [number, number]
  const shape = [n, (columns * 32) / bits]
  if (words.device.name === 'meta') return zeros(shape, dtype, words.device)
  const { buffer } = Int32Array.from(onHost(words) as Int32Array)
  return bits === 8
    ? fromArray(new Uint8Array(buffer), shape, 'uint8')
    : fromArray(new Int16Array(buffer), shape, 'int16')
}

/** {@link numbers} undone. */
function wholeWords(stored: DenseTensor): DenseTensor {
  const [n, columns] = stored.shape as [number, number]
  const size = stored.nbytes / stored.numel
  if (stored.numel === 0 || size === 4) return stored
  const shape = [n, (columns * size) / 4]
  if (stored.device.name === 'meta') return zeros(shape, 'int32', stored.device)
  const values = onHost(stored)
  const copied = size === 1 ? Uint8Array.from(values) : Int16Array.from(values)
  return fromArray(new Int32Array(copied.buffer), shape, 'int32')
}

function onHost(part: Tensor): Uint8Array | Int16Array | Int32Array {
  if (part.device.isHost === true) return hostArray(part) as Uint8Array | Int16Array | Int32Array
  const cure = 'Move it to the CPU first.'
  const what = 'a weight on the CPU, to be packed in numbers of 8 or 16 bits'
  throw fail(UnsupportedOpError, what, part.device.name, cure)
}

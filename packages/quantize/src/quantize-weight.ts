/** @file One weight: whether its numbers are fit to be quantized, and the result. */

import {
  asDense,
  hostArray,
  hostFloat32,
  inScope,
  isFloatDType,
  isSkipped,
  isTensorSubclass,
  linear,
  readFloat32,
  reshape,
  skip,
  toFloat32Array,
  ValueError,
  zeros,
  type FloatDType,
  type QuantizationConfig,
  type Skipped,
  type Tensor,
  type TypedArray,
  takes,
} from '@ao/base-tensor'

const PACKAGE = '@ao/quantize'

/**
 * What `config` makes of a weight.
 *
 * @throws {@link ValueError} naming the weight, with the config's own error as its cause
 */
export function quantizeWeight(
  weight: Tensor,
  name: string,
  config: QuantizationConfig,
  allowNonFinite: boolean = false,
): Tensor | Skipped {
  try {
    const result = inScope(weight.device, () =>
      config.quantizeTensor(weight, { name, allowNonFinite }),
    )
    return whyLost(weight, result) ?? result
  } catch (cause) {
    throw new ValueError({
      package: PACKAGE,
      expected: `${config.configName} to quantize ${name} (${String(weight)})`,
      got: `an error: ${(cause as Error).message.replace(/\.$/, '')}`,
      cure: 'Leave this weight out (with a filter, or null in FqnToConfig) or change the config.',
      cause,
    })
  }
}

/** Far above what formats' smallest scales lose, and far below the weights of models. */
const SMALL = 1e-5
const LOOK = 4096

/** A weight that stays for its numbers, which a plan without numbers cannot foresee. */
export interface Lost extends Skipped {
  readonly isLost: true
}

/** Why a weight of the CPU stays as it is though it could be quantized: its numbers would become zeros. */
function whyLost(weight: Tensor, result: Tensor | Skipped): Lost | undefined {
  if (!weight.device.isHost || isSkipped(result) || !isTensorSubclass(result)) return
  const elements = hostArray(weight)
  const first = toFloat32Array(elements.subarray(0, LOOK), weight.dtype)
  if (first.some((x) => Math.abs(x) > SMALL)) return
  const values = toFloat32Array(elements, weight.dtype)
  const peak = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  if (peak > SMALL || peak === 0) return
  const found = hostFloat32(result.dequantize())
  const lost = values.reduce((sum, x, i) => sum + (x / peak - (found[i] as number) / peak) ** 2, 0)
  if (lost < 0.1 * values.reduce((sum, x) => sum + (x / peak) ** 2, 0)) return
  const reason = `its numbers, of which ${peak.toPrecision(2)} is the largest, are below the steps of the format`
  return { ...skip(reason), isLost: true }
}

/**
 * Refuses a weight with NaN or infinite elements: a scale made from one is useless for all elements that
 * share it. A meta tensor passes. On other devices than the CPU the device looks, and only a weight that is
 * refused is read back.
 *
 * @throws {@link ValueError} naming the weight, how many there are, and where the first is
 */
export async function checkFinite(weight: Tensor, name: string): Promise<void> {
  takes('tx', weight, name)
  if (weight.device.isHost) return checkFiniteHost(weight, name)
  if (weight.device.name === 'meta' || !isFloatDType(weight.dtype)) return
  if (await isFiniteOnDevice(weight)) return
  checkFiniteElements(await asDense(weight).data(), weight, name)
}

/** Zero times a number is zero, and NaN for what is not finite: a number for each row comes back. */
async function isFiniteOnDevice(weight: Tensor): Promise<boolean> {
  const { device, shape } = weight
  const width = shape.at(-1) as number
  const sums = inScope(device, () =>
    linear(zeros([1, width], 'float32', device), reshape(weight, [-1, width])),
  )
  const values = await readFloat32(sums)
  device.free(asDense(sums).storage)
  return values.every((value) => value === 0)
}

/** {@link checkFinite} for weights of the CPU; those of other devices pass. */
export function checkFiniteHost(weight: Tensor, name: string): void {
  if (weight.device.isHost) checkFiniteElements(hostArray(weight), weight, name)
}

function checkFiniteElements(elements: TypedArray, weight: Tensor, name: string): void {
  if (!isFloatDType(weight.dtype)) return
  const { count, first } = countNonFinite(elements, weight.dtype)
  if (count === 0) return
  throw new ValueError({
    package: PACKAGE,
    expected: `finite numbers in ${name}`,
    got: `${count} that ${count === 1 ? 'is' : 'are'} NaN or infinite, the first at [${unravel(first, weight.shape).join(', ')}]`,
    cure: 'Repair the checkpoint, leave this weight out, or pass { allowNonFinite: true }.',
  })
}

/** The exponent bits of each floating dtype; they are all set in NaN and infinities alone. */
const EXPONENTS: Readonly<Record<FloatDType, number>> = {
  float32: 0x7f800000,
  bfloat16: 0x7f80,
  float16: 0x7c00,
}

function countNonFinite(
  elements: TypedArray,
  dtype: FloatDType,
): { readonly count: number; readonly first: number } {
  const exponent = EXPONENTS[dtype]
  let count = 0
  let first = -1
  if (mayHaveNonFinite(elements, dtype)) {
    const bits = dtype === 'float32' ? words(elements) : (elements as Uint16Array)
    for (let i = 0; i < bits.length; i++) {
      if (((bits[i] as number) & exponent) !== exponent) continue
      if (count++ === 0) first = i
    }
  }
  return { count, first }
}

/**
 * A quick look that reads elements of 16 bits in pairs: adding one to an exponent's last bit carries into
 * the sign's place when all its bits are set. True also where a pair cannot be read.
 */
function mayHaveNonFinite(elements: TypedArray, dtype: FloatDType): boolean {
  const isPaired = elements.byteOffset % 4 === 0 && elements.byteLength % 4 === 0
  if (dtype === 'float32' || !isPaired) return true
  const pairs = words(elements)
  const exponents = EXPONENTS[dtype] * 0x10001
  const one = exponents & -exponents & 0xffff
  const ones = one * 0x10001
  let carries = 0
  for (let i = 0; i < pairs.length; i++) carries |= ((pairs[i] as number) & exponents) + ones
  return (carries & 0x80008000) !== 0
}

function words(elements: TypedArray): Int32Array {
  return new Int32Array(elements.buffer, elements.byteOffset, elements.byteLength / 4)
}

function unravel(flat: number, shape: readonly number[]): number[] {
  const index: number[] = []
  for (let d = shape.length - 1, rest = flat; d >= 0; d--) {
    const size = shape[d] as number
    index.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return index
}

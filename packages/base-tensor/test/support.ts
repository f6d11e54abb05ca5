import {
  arrayFromBytes,
  fromArray,
  hostArray,
  isStoredDType,
  itemSize,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'

/** Makes a tensor of golden bytes. */
export function fromGolden(
  dtype: string,
  shape: readonly number[],
  bytes: Uint8Array,
): DenseTensor {
  if (!isStoredDType(dtype)) throw new Error(`golden of unknown dtype ${dtype}`)
  return fromArray(arrayFromBytes(dtype, bytes), shape, dtype)
}

/** The stored numbers; bits for short floats. */
export function numbers(tensor: Tensor): (number | bigint)[] {
  return Array.from(hostArray(tensor) as Iterable<number | bigint>)
}

/** The bits of elements of at most 16 bits, whatever they stand for. */
export function unsigned(tensor: Tensor): number[] {
  const mask = 2 ** (8 * itemSize(tensor.dtype)) - 1
  return numbers(tensor).map((value) => Number(value) & mask)
}

/** What `run` throws. */
export function thrownBy(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

/** The message that `run` throws. */
export function messageOf(run: () => unknown): string {
  return thrownBy(run).message
}

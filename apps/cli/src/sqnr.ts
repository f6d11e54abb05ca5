/** @file How far two tensors are apart. */

import {
  cast,
  cpu,
  hostFloat32,
  inScope,
  isTensorSubclass,
  type Tensor,
  freeTensor,
} from '@ao/base-tensor'
import { computeError } from '@ao/quantize'

/**
 * Signal to quantization noise ratio of what two tensors stand for, in dB: Infinity where they are equal
 * (also where both are zero, or have NaN in the same places), and -Infinity where numbers that are not
 * finite make it meaningless.
 */
export async function sqnr(reference: Tensor, other: Tensor): Promise<number> {
  const [a, b] = [await float32(reference), await float32(other)]
  if (equals(hostFloat32(a), hostFloat32(b))) return Infinity
  const db = await computeError(a, b)
  return Number.isNaN(db) ? -Infinity : db
}

/** Order of two numbers for `sort`, infinite ones too, whose difference is no number. */
export function ascending(a: number, b: number): number {
  return a < b ? -1 : Number(a > b)
}

/** What a tensor stands for, on the CPU; quantized ones are dequantized where they are. */
async function float32(tensor: Tensor): Promise<Tensor> {
  const plain = inScope(tensor.device, () =>
    isTensorSubclass(tensor) ? tensor.dequantize('float32') : cast(tensor, 'float32'),
  )
  const here = await plain.to(cpu)
  if (plain !== tensor) freeTensor(plain)
  return here
}

function equals(a: Float32Array, b: Float32Array): boolean {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number]
    if (x !== y && !(Number.isNaN(x) && Number.isNaN(y))) return false
  }
  return true
}

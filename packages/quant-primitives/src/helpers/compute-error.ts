/** @file How far quantization moved a tensor. */

import { readFloat32, ShapeError, type Tensor, takes } from '@ao/base-tensor'
import { fail } from '../errors.ts'

/**
 * Signal to noise ratio of `y` against `x` in dB, `20 log10(|x| / |x - y|)`; torchao's `compute_error`.
 *
 * Infinite for equal tensors, NaN for two of zeros. Sums run in double precision.
 *
 * @param x - the reference, on any device
 * @param y - of the same shape
 * @throws {@link ShapeError} when the shapes differ
 */
export async function computeError(x: Tensor, y: Tensor): Promise<number> {
  takes('tt', x, y)
  if (x.shape.join() !== y.shape.join()) {
    throw fail(
      ShapeError,
      'tensors of one shape',
      `[${x.shape.join(', ')}] and [${y.shape.join(', ')}]`,
    )
  }
  const [reference, values] = await Promise.all([readFloat32(x), readFloat32(y)])
  let signal = 0
  let noise = 0
  for (let i = 0; i < reference.length; i++) {
    const expected = reference[i] as number
    const difference = expected - (values[i] as number)
    signal += expected * expected
    noise += difference * difference
  }
  return 10 * Math.log10(signal / noise)
}

/** @file For tests of kernels: an op on a device against its reference. */

import {
  AoError,
  isTensor,
  isTensorSubclass,
  readFloat32,
  type Device,
  type Op,
  type Tensor,
} from '@ao/base-tensor'

/** How far a device's result is from the reference's. */
export interface Comparison {
  /** `mean((out - reference)^2) / mean(reference^2)` over all tensors of the result. */
  readonly nmse: number
  /** Elements that differ at all. */
  readonly different: number
  /** Largest absolute difference. */
  readonly worst: number
  /** Elements. */
  readonly count: number
}

/**
 * Runs `op` on the CPU and on `device`.
 *
 * @param args - with tensors of the CPU
 * @throws {@link AoError} when results differ in shape or dtype
 */
export async function compareWithReference<Args extends readonly unknown[], Result>(
  device: Device,
  op: Op<Args, Result>,
  args: Args,
): Promise<Comparison> {
  const there = (await moved(args, device)) as Args
  const expected = tensorsIn(op(...args))
  const got = tensorsIn(op(...there))
  if (got.map(describe).join() !== expected.map(describe).join()) {
    throw mismatch(op.opName, expected.map(describe).join(', '), got.map(describe).join(', '))
  }
  let [squares, size, different, worst, count] = [0, 0, 0, 0, 0]
  for (const [i, reference] of expected.entries()) {
    const a = await readFloat32(reference)
    const b = await readFloat32(got[i] as Tensor)
    a.forEach((value, at) => {
      const other = b[at] as number
      if (Object.is(value, other) || (value === 0 && other === 0)) {
        size += value * value
        return
      }
      const error = Math.abs(value - other)
      different++
      worst = error > worst || Number.isNaN(error) ? error : worst
      squares += error * error
      size += value * value
    })
    count += a.length
  }
  return { nmse: squares === 0 ? 0 : squares / size, different, worst, count }
}

/**
 * Checks that `op` on `device` keeps to the op's error budget; to equal numbers where it has none.
 *
 * @param args - with tensors of the CPU
 * @param nmse - a budget to keep to instead, such as that of float16 paths
 * @throws {@link AoError} when it does not
 */
export async function expectReference<Args extends readonly unknown[], Result>(
  device: Device,
  op: Op<Args, Result>,
  args: Args,
  nmse: number = op.budget?.nmse ?? 0,
): Promise<Comparison> {
  const comparison = await compareWithReference(device, op, args)
  if (comparison.nmse <= nmse) return comparison
  throw mismatch(
    op.opName,
    `an error of at most ${nmse} (normalised mean square)`,
    `${comparison.nmse}: ${comparison.different} of ${comparison.count} elements differ, by up to ${comparison.worst}`,
  )
}

function mismatch(opName: string, expected: string, got: string): AoError {
  return new AoError({ package: opName, expected, got })
}

const describe = ({ shape, dtype }: Tensor): string => `${dtype}[${shape.join(', ')}]`

/** `value` with all its tensors on `device`: a tensor, or lists and records of them. */
async function moved(value: unknown, device: Device): Promise<unknown> {
  if (isTensor(value)) return value.to(device)
  if (Array.isArray(value)) return Promise.all(value.map((part) => moved(part, device)))
  return value
}

/** The dense tensors of a result, each on the CPU's terms. */
function tensorsIn(value: unknown): Tensor[] {
  if (isTensorSubclass(value)) return tensorsIn(value.flatten().tensors)
  if (isTensor(value)) return [value]
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap((part) => tensorsIn(part))
    : []
}

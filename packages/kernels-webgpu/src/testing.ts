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

/** Arguments of an op, made from the sizes of their dimensions. */
export interface SizedCase {
  readonly op: Op<never, unknown>
  /** Sizes by name; each is 0 in turn. */
  readonly sizes: Readonly<Record<string, number>>
  /** Arguments with tensors of the CPU; {@link AoError} where there are none of these sizes. */
  readonly args: (sizes: Readonly<Record<string, number>>) => readonly unknown[]
}

/** A row of a table of empty inputs. */
export function sized<Name extends string>(
  op: Op<never, unknown>,
  sizes: Readonly<Record<Name, number>>,
  args: (sizes: Readonly<Record<Name, number>>) => readonly unknown[],
): SizedCase {
  return { op, sizes, args }
}

/**
 * Checks that an op takes empty inputs: with each dimension, each two, and all of size 0, it gives what its
 * reference gives, or both refuse with an {@link AoError}. Without a `device`, the reference alone is asked.
 *
 * @returns how many calls gave a result
 * @throws {@link AoError} naming the sizes where it does not
 */
export async function expectEmptyInputs(
  device: Device | undefined,
  { op, sizes, args }: SizedCase,
): Promise<number> {
  const call = op as unknown as Op<readonly unknown[], unknown>
  let results = 0
  for (const empty of emptySizes(sizes)) {
    const made = refusal(() => args(empty))
    if (made.error !== undefined) {
      if (AoError.isInstance(made.error)) continue
      throw mismatch(op.opName, 'arguments', String(made.error))
    }
    const values = made.value as readonly unknown[]
    const where = JSON.stringify(empty)
    const expected = await outcome(() => call(...(copies(values) as readonly unknown[])))
    if (!expected.startsWith('refused')) results++
    if (!/^(refused|\[)/.test(expected))
      throw mismatch(op.opName, `a result for ${where}`, expected)
    if (!device) continue
    const there = (await moved(values, device)) as readonly unknown[]
    const got = await outcome(() => call(...there))
    const same = expected.startsWith('refused') ? got.startsWith('refused') : got === expected
    if (!same) throw mismatch(op.opName, `${expected} for ${where}`, got)
  }
  return results
}

function* emptySizes(sizes: SizedCase['sizes']): Generator<Record<string, number>> {
  const names = Object.keys(sizes)
  const without = (...gone: string[]): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, gone.includes(name) ? 0 : (sizes[name] ?? 0)]))
  for (const [i, name] of names.entries()) {
    yield without(name)
    for (const other of names.slice(i + 1)) yield without(name, other)
  }
  yield without(...names)
}

function refusal<T>(run: () => T): { readonly value?: T; readonly error?: unknown } {
  try {
    return { value: run() }
  } catch (error) {
    return { error }
  }
}

/** What a call gave, as text: the results' dtypes, shapes and numbers, or that it refused. */
async function outcome(run: () => unknown): Promise<string> {
  try {
    const parts = tensorsIn(run()).map(
      async (part) => `${describe(part)} ${(await readFloat32(part)).map((x) => x + 0).join()}`,
    )
    return `[${(await Promise.all(parts)).join('; ')}]`
  } catch (error) {
    return `${AoError.isInstance(error) ? 'refused' : 'not an AoError'}: ${String(error)}`
  }
}

/** `value` with copies of its tensors: ops may write into them. */
function copies(value: unknown): unknown {
  if (isTensor(value)) return value.clone()
  return Array.isArray(value) ? value.map(copies) : value
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

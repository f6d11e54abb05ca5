/**
 * @file Operations as values.
 *
 * An op is a callable value: a name, a typed signature and a *reference* in plain TypeScript that says
 * what it means. Calling it looks at the tensors among its arguments:
 *
 * 1. the first tensor subclass among them runs its own implementation (its class's op table);
 * 2. otherwise all are dense, and their device runs it: the CPU by the reference, others by a kernel.
 */

import { sameDevice } from './device.ts'
import { DeviceError, fail } from './errors.ts'
import { isTensor, takes } from './takes.ts'
import type { AnyOp, Device, ErrorBudget, Op, Vjp } from './tensor.ts'

export type { AnyOp, ErrorBudget, Op, Vjp } from './tensor.ts'

/** What {@link defineOp} takes; see {@link Op} for the fields. */
export interface OpDefinition<Args extends readonly unknown[], Result> {
  readonly name: string
  readonly reference: (...args: Args) => Result
  readonly meta?: (...args: Args) => Result
  readonly budget?: ErrorBudget
  readonly vjp?: Vjp<Args>
  /** See {@link Op.isComposite}; false unless given. */
  readonly isComposite?: boolean
  /** The arguments that it takes, as {@link takes} has them; unchecked unless given. */
  readonly takes?: string
}

/**
 * Makes an op from its name and its reference.
 *
 * @remarks Give `meta` to every op whose result is needed before its data: planning a file's layout
 * runs a config on tensors that have shapes only.
 */
/* @__NO_SIDE_EFFECTS__ */
export function defineOp<Args extends readonly unknown[], Result>(
  definition: OpDefinition<Args, Result>,
): Op<Args, Result> {
  takes('o<reference:f>', definition)
  const op: Op<Args, Result> = Object.assign((...args: Args): Result => callOp(op, args), {
    opName: definition.name,
    reference: definition.reference,
    meta: definition.meta,
    budget: definition.budget,
    vjp: definition.vjp,
    isComposite: definition.isComposite ?? false,
    takes: definition.takes ?? '',
  })
  return op
}

function callOp<Args extends readonly unknown[], Result>(op: Op<Args, Result>, args: Args): Result {
  takes(op.takes, ...args)
  let device: Device | undefined
  for (const arg of args) {
    for (const value of Array.isArray(arg) ? (arg as readonly unknown[]) : [arg]) {
      if (!isTensor(value)) continue
      if (value.dispatchOp) return value.dispatchOp(op as unknown as AnyOp, args) as Result
      device ??= value.device
      if (!sameDevice(value.device, device)) {
        throw fail(
          DeviceError,
          `all tensors of ${op.opName} on one device`,
          `${device.name} and ${value.device.name}`,
          'Move them with `await tensor.to(device)` first.',
        )
      }
    }
  }
  if (!device) {
    throw fail(DeviceError, `a tensor among the arguments of ${op.opName}`, 'none')
  }
  return device.run(op, args)
}

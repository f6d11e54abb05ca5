/** @file Hooks on the calls of a module: PyTorch's forward pre-hooks and forward hooks. */

import { ValueError } from '@ao/base-tensor'

/** Sees, and may replace, the arguments of a module's `forward`. */
export type ForwardPreHook<M> = (
  module: M,
  args: readonly unknown[],
) => readonly unknown[] | undefined | void

/** Sees, and may replace, what a module's `forward` returns: not undefined. */
export type ForwardHook<M> = (module: M, args: readonly unknown[], output: unknown) => unknown

/** A hook that was registered. */
export interface RemovableHandle {
  /** Takes the hook away again; does nothing the second time. */
  remove(): void
}

type Forward = (...args: readonly unknown[]) => unknown

interface Hooks {
  readonly before: Set<{ readonly hook: ForwardPreHook<object> }>
  readonly after: Set<{ readonly hook: ForwardHook<object> }>
  /** What `forward` was, if it was a property of the module's own. */
  readonly own: PropertyDescriptor | undefined
}

const hooksOf = /* @__PURE__ */ new WeakMap<object, Hooks>()

/**
 * Adds a hook to `module`. While it has any, a property `forward` of its own, which is not enumerable, stands
 * before that of its class: modules without hooks pay nothing.
 *
 * @throws {@link ValueError} for a module without `forward`
 */
export function addHook(
  module: object,
  kind: 'before' | 'after',
  hook: (...args: never[]) => unknown,
): RemovableHandle {
  const hooks = hooksOf.get(module) ?? shadowForward(module)
  const entries = hooks[kind] as Set<object>
  const entry = { hook }
  entries.add(entry)
  return {
    remove: () => {
      if (!entries.delete(entry) || hooks.before.size + hooks.after.size > 0) return
      hooksOf.delete(module)
      if (hooks.own) Object.defineProperty(module, 'forward', hooks.own)
      else delete (module as { forward?: unknown }).forward
    },
  }
}

function shadowForward(module: object): Hooks {
  const { forward } = module as { forward?: Forward }
  if (typeof forward !== 'function') {
    throw new ValueError({
      package: '@ao/nn',
      expected: 'a module with forward() to hook into',
      got: module.constructor.name,
    })
  }
  const own = Object.getOwnPropertyDescriptor(module, 'forward')
  const hooks: Hooks = { before: new Set(), after: new Set(), own }
  const value: Forward = (...given) => {
    let args = given
    for (const { hook } of [...hooks.before]) args = (hook(module, args) ?? args) as typeof given
    let output = forward.apply(module, [...args])
    for (const { hook } of [...hooks.after]) output = hook(module, args, output) ?? output
    return output
  }
  Object.defineProperty(module, 'forward', { value, configurable: true, writable: true })
  hooksOf.set(module, hooks)
  return hooks
}

/** Whether a call of the module's `forward` runs hooks: what computes its result in another way asks. */
export function hasForwardHooks(module: object): boolean {
  return hooksOf.has(module)
}

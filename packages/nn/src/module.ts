/**
 * @file The module tree: what finds, names and replaces a model's parameters.
 *
 * There is nothing to register. A module's own enumerable properties are read when asked: one that holds
 * a tensor is a parameter, one that holds a module (or an array of modules: `layers` gives `layers.0`,
 * `layers.1`, ...) is a child. Properties are therefore named as in checkpoints (`self_attn`, `q_proj`),
 * and state that is neither lives in `#private` fields.
 */

import {
  isTensor,
  ShapeError,
  ValueError,
  type Device,
  type Tensor,
  takes,
  Printable,
} from '@ao/base-tensor'
import { describeModule } from './describe-module.ts'
import {
  addHook,
  type ForwardHook,
  type ForwardPreHook,
  type RemovableHandle,
} from './forward-hooks.ts'

const PACKAGE = '@ao/nn'

/** Names that a checkpoint lacks, or has too many, for the model that it was loaded into. */
export interface LoadReport {
  /** Parameters of the model that the entries do not have. */
  readonly missing: readonly string[]
  /** Entries that the model has no parameter for. */
  readonly unexpected: readonly string[]
}

/** A node of a model: parameters of its own, and child modules. PyTorch's `nn.Module`. */
export abstract class Module extends Printable {
  /** Direct children by their names relative to this module, such as `q_proj` or `layers.0`. */
  namedChildren(): [name: string, child: Module][] {
    const children: [string, Module][] = []
    for (const [name, value] of Object.entries(this) as [string, unknown][]) {
      if (isModule(value)) children.push([name, value])
      else if (isModuleList(value)) {
        value.forEach((child, i) => children.push([`${name}.${i}`, child]))
      }
    }
    return children
  }

  /**
   * This module (named `prefix`, `''` unless given) and all below it, parents first. A module that is
   * reached by several names comes once, under its first.
   */
  *namedModules(prefix = ''): Generator<[name: string, module: Module], void, undefined> {
    takes('x?', prefix)
    yield* namedModulesOf(this, prefix, new Set())
  }

  /** Parameters of this module itself, by property name. */
  ownParameters(): [name: string, parameter: Tensor][] {
    return Object.entries(this).filter((entry): entry is [string, Tensor] => isTensor(entry[1]))
  }

  /** All parameters by full name. One that is shared comes once, under its first name. */
  *namedParameters(): Generator<[name: string, parameter: Tensor], void, undefined> {
    const seen = new Set<Tensor>()
    for (const [name, parameter] of this.stateDict()) {
      if (!seen.has(parameter)) yield [name, parameter]
      seen.add(parameter)
    }
  }

  /**
   * Puts `tensor` in the place of a parameter of this module itself. Shapes are not compared.
   *
   * @throws {@link ValueError} unless the property is there and holds a tensor or undefined
   */
  setParameter(ownName: string, tensor: Tensor): void {
    takes('xt', ownName, tensor)
    const slots = this as unknown as Record<string, unknown>
    const current = Object.hasOwn(this, ownName) ? slots[ownName] : null
    if (current !== undefined && !isTensor(current)) {
      throw new ValueError({
        package: PACKAGE,
        expected: `a parameter of ${this.constructor.name}`,
        got: `'${ownName}'`,
        cure: `It has ${listNames(this.ownParameters().map(([name]) => name))}.`,
      })
    }
    slots[ownName] = tensor
  }

  /** All parameters by full name, shared ones under each of their names. */
  stateDict(): Map<string, Tensor> {
    const entries = new Map<string, Tensor>()
    for (const [moduleName, module] of namedModulesOf(this, '')) {
      for (const [name, parameter] of module.ownParameters()) {
        entries.set(join(moduleName, name), parameter)
      }
    }
    return entries
  }

  /**
   * Puts `entries` in the place of this model's parameters. The tensors themselves are taken, so a
   * quantized entry makes a quantized parameter.
   *
   * A name without an entry takes that of another name of the same parameter, so a checkpoint may hold
   * tied weights once; they stay tied then, and none of their names counts as missing.
   *
   * @param options - `strict: false` reports missing and unexpected names instead of refusing them
   * @throws {@link ValueError} naming what is missing or unexpected, and {@link ShapeError} naming each
   * parameter whose shape differs, strict or not; nothing is changed then
   */
  loadStateDict(
    entries: ReadonlyMap<string, Tensor>,
    options: { readonly strict?: boolean } = {},
  ): LoadReport {
    takes('oo{strict}?', entries, options)
    const own = this.stateDict()
    const taken = takenEntries(own, entries)
    const missing = [...own.keys()].filter((name) => !taken.has(name))
    const unexpected = [...entries.keys()].filter((name) => !own.has(name))
    checkShapes(own, taken)
    if ((options.strict ?? true) && missing.length + unexpected.length > 0) {
      throw new ValueError({
        package: PACKAGE,
        expected: `entries for exactly the parameters of ${this.constructor.name}`,
        got: `missing: ${listNames(missing)}; unexpected: ${listNames(unexpected)}`,
        cure: 'Pass { strict: false } to load what fits.',
      })
    }
    for (const [moduleName, module] of namedModulesOf(this, '')) {
      for (const [name] of module.ownParameters()) {
        const entry = taken.get(join(moduleName, name))
        if (entry) module.setParameter(name, entry)
      }
    }
    return { missing, unexpected }
  }

  /**
   * The module with this full name; `''` is this module itself.
   *
   * @throws {@link ValueError} naming the module at which the path ends, and its children
   */
  getSubmodule(fqn: string): Module {
    takes('x', fqn)
    return fqn === '' ? this : locate(this, fqn).child
  }

  /**
   * Puts `module` in the place of the one with this full name.
   *
   * @throws {@link ValueError} for a name that is not there, and for `''`: a module cannot replace itself
   */
  setSubmodule(fqn: string, module: Module): void {
    takes('xo<namedChildren:f namedModules:f>', fqn, module)
    const { parent, name } = locate(this, fqn)
    const slots = parent as unknown as Record<string, Module | Module[]>
    const dot = name.lastIndexOf('.')
    if (dot < 0) slots[name] = module
    else (slots[name.slice(0, dot)] as Module[])[Number(name.slice(dot + 1))] = module
  }

  /** Moves all parameters to `device`, shared ones once, and returns this module. */
  async to(device: Device): Promise<this> {
    takes('o<run:f allocate:f>', device)
    const moved = new WeakMap<Tensor, Tensor>()
    for (const [, module] of this.namedModules()) {
      for (const [name, parameter] of module.ownParameters()) {
        const target = moved.get(parameter) ?? (await parameter.to(device))
        moved.set(parameter, target)
        module.setParameter(name, target)
      }
    }
    return this
  }

  /**
   * Calls `hook` before each `forward` of this module, in the order of registration. An array that it returns
   * takes the place of the arguments. PyTorch's `register_forward_pre_hook`.
   *
   * @throws {@link ValueError} for a module without `forward`
   */
  registerForwardPreHook(hook: ForwardPreHook<this>): RemovableHandle {
    takes('f', hook)
    return addHook(this, 'before', hook)
  }

  /**
   * Calls `hook` after each `forward` of this module, in the order of registration. What it returns, unless
   * undefined, takes the place of the output. PyTorch's `register_forward_hook`.
   *
   * @throws {@link ValueError} for a module without `forward`
   */
  registerForwardHook(hook: ForwardHook<this>): RemovableHandle {
    takes('f', hook)
    return addHook(this, 'after', hook)
  }

  /** What stands between the brackets of `toString()`; the shapes of own dense parameters. */
  extraRepr(): string {
    return this.ownParameters()
      .filter(([, parameter]) => !parameter.dispatchOp)
      .map(([name, parameter]) => `${name}=[${parameter.shape.join(', ')}]`)
      .join(', ')
  }

  /** The tree as PyTorch prints it, with shapes, and formats where a parameter is quantized. */
  override toString(): string {
    return describeModule(this)
  }
}

/** Whether `value` is a module, from any copy of this package. */
export function isModule(value: unknown): value is Module {
  const module = value as Partial<Module> | null | undefined
  return (
    typeof module === 'object' &&
    module !== null &&
    typeof module.ownParameters === 'function' &&
    typeof module.namedChildren === 'function'
  )
}

function isModuleList(value: unknown): value is Module[] {
  return Array.isArray(value) && value.every(isModule)
}

// With `seen`, each module once; without, once under every name.
function* namedModulesOf(
  module: Module,
  name: string,
  seen?: Set<Module>,
): Generator<[string, Module], void, undefined> {
  if (seen?.has(module)) return
  seen?.add(module)
  yield [name, module]
  for (const [childName, child] of module.namedChildren()) {
    yield* namedModulesOf(child, join(name, childName), seen)
  }
}

function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`
}

// The child with this full name, and where it hangs.
function locate(parent: Module, fqn: string): { parent: Module; name: string; child: Module } {
  const children = parent.namedChildren()
  for (const [name, child] of children) {
    if (fqn === name) return { parent, name, child }
    if (fqn.startsWith(`${name}.`)) return locate(child, fqn.slice(name.length + 1))
  }
  throw new ValueError({
    package: PACKAGE,
    expected: `a child of ${parent.constructor.name}`,
    got: `'${fqn}'`,
    cure: `It has ${listNames(children.map(([name]) => name))}.`,
  })
}

// The entry for each name: its own, or that of another name of the same tensor.
function takenEntries(
  own: ReadonlyMap<string, Tensor>,
  entries: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const shared = new Map<Tensor, Tensor>()
  takes('o<get:f keys:f>', entries)
  for (const [name, current] of own) {
    const entry = entries.get(name)
    if (entry && !shared.has(current)) shared.set(current, entry)
  }
  const taken = new Map<string, Tensor>()
  for (const [name, current] of own) {
    const entry = entries.get(name) ?? shared.get(current)
    if (entry) taken.set(name, entry)
  }
  return taken
}

function checkShapes(own: ReadonlyMap<string, Tensor>, taken: ReadonlyMap<string, Tensor>): void {
  const differences: string[] = []
  for (const [name, entry] of taken) {
    const { shape } = own.get(name) as Tensor
    if (entry.shape.join() !== shape.join()) {
      differences.push(`${name}: [${entry.shape.join(', ')}] for [${shape.join(', ')}]`)
    }
  }
  if (differences.length === 0) return
  throw new ShapeError({
    package: PACKAGE,
    expected: "entries of the parameters' shapes",
    got: listNames(differences),
  })
}

const LISTED_NAMES = 12

function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const more = names.length > LISTED_NAMES ? ` and ${names.length - LISTED_NAMES} more` : ''
  return names.slice(0, LISTED_NAMES).join(', ') + more
}

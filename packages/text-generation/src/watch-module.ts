/** @file Whether a model is still what it was. */

import type { Module } from '@ao/nn'

/** What an object held: all of its properties, in order. */
interface Held {
  readonly holder: Readonly<Record<string, unknown>>
  readonly keys: readonly string[]
  readonly values: readonly unknown[]
}

/**
 * Notes the modules and parameters of `model`.
 *
 * @returns whether they are all still the same ones: quantized weights, for example, are others. It costs a
 * look at each property
 */
export function watchModule(model: Module): () => boolean {
  const all: Held[] = []
  const watch = (holder: object): void => {
    const keys = Object.keys(holder)
    const values = Object.values(holder) as unknown[]
    all.push({ holder: holder as Held['holder'], keys, values })
    for (const value of values) {
      if (!Array.isArray(value)) continue
      all.push({ holder: value as never, keys: ['length'], values: [value.length] })
      watch(value)
    }
  }
  for (const [, module] of model.namedModules()) {
    watch(module)
    // With hooks, a module has a forward of its own, which is no enumerable property.
    const { forward } = module as { forward?: unknown }
    all.push({ holder: module as never, keys: ['forward'], values: [forward] })
  }
  return () => {
    for (let i = 0; i < all.length; i++) if (!isSame(all[i] as Held)) return false
    return true
  }
}

function isSame({ holder, keys, values }: Held): boolean {
  for (let i = 0; i < keys.length; i++) {
    if (holder[keys[i] as string] !== values[i]) return false
  }
  return true
}

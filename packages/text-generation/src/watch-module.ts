/** @file Whether a model is still what it was. */

import type { Module } from '@ao/nn'

/** A property that held a parameter, a module, or anything else. */
type Slot = readonly [holder: object, key: string, value: unknown]

/**
 * Notes the modules and parameters of `model`.
 *
 * @returns whether they are all still the same ones: quantized weights, for example, are others. It costs a
 * look at each property
 */
export function watchModule(model: Module): () => boolean {
  const slots: Slot[] = []
  const watch = (holder: object): void => {
    for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
      slots.push([holder, key, value])
      if (Array.isArray(value)) {
        slots.push([value, 'length', value.length])
        watch(value)
      }
    }
  }
  for (const [, module] of model.namedModules()) watch(module)
  return () =>
    slots.every(([holder, key, value]) => (holder as Record<string, unknown>)[key] === value)
}

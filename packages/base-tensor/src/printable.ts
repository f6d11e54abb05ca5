/** @file What `console.log` shows in Node and in browsers. */

import { isTensor, takes } from './takes.ts'

const INSPECT: unique symbol = /* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom') as never

/** Objects that Node's `console.log` shows as `String` does. */
// Made by a call that bundlers may leave out: they keep every class that has a computed name in itself.
export const Printable: abstract new () => { toString(): string } = /* @__PURE__ */ (() =>
  class {
    [INSPECT](): string {
      return String(this)
    }
  })()

/** Lets Chrome's console show `value` as `String` does: it calls nothing, and shows this text if there is one. */
export function nameInConsole(value: object): void {
  Object.defineProperty(value, Symbol.toStringTag, { value: String(value) })
}

/** Freezes a config, and lets `String` and `console.log` show it as name and fields. */
export function freezeConfig(config: { readonly configName: string; toJSON(): unknown }): void {
  takes('o<toJSON:f>', config)
  if (Object.isFrozen(config)) return
  const value = (): string => {
    let fields: unknown
    try {
      fields = (config.toJSON() as { readonly _data: unknown })._data
    } catch {
      fields = { ...config } // tensors have no JSON
    }
    const text = JSON.stringify(fields, (_, field) =>
      isTensor(field) || typeof field === 'bigint' ? String(field) : field,
    )
    return `${config.configName}(${text})`
  }
  Object.defineProperties(config, { toString: { value }, [INSPECT]: { value } })
  nameInConsole(config)
  Object.freeze(config)
}

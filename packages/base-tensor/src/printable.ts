/** @file What `console.log` shows in Node. */

const INSPECT: unique symbol = /* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom') as never

/** Objects that Node's `console.log` shows as `String` does. */
// Made by a call that bundlers may leave out: they keep every class that has a computed name in itself.
export const Printable: abstract new () => { toString(): string } = /* @__PURE__ */ (() =>
  class {
    [INSPECT](): string {
      return String(this)
    }
  })()

/** Freezes a config, and lets `String` and Node's `console.log` show it as name and fields. */
export function freezeConfig(config: { readonly configName: string; toJSON(): unknown }): void {
  const value = (): string => {
    const { _data } = config.toJSON() as { readonly _data: unknown }
    return `${config.configName}(${JSON.stringify(_data)})`
  }
  Object.defineProperties(config, { toString: { value }, [INSPECT]: { value } })
  Object.freeze(config)
}

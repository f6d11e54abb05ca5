/** @file The errors of this package, which imports none of the packages that it tests. */

/** An argument that a function here does not take. */
export function wrongArgument(expected: string, got: unknown): TypeError {
  return new TypeError(`[@ao/test-kit] Expected ${expected}, got ${describe(got)}.`)
}

function describe(value: unknown): string {
  const isPlain = value === null || (typeof value !== 'object' && typeof value !== 'function')
  return isPlain ? String(value) : Object.prototype.toString.call(value)
}

/** Throws unless each of `lists` is an array, or a typed array, of as many numbers as the first. */
export function expectNumbers(...lists: readonly unknown[]): void {
  const [first] = lists
  for (const list of lists) {
    if (!isNumbers(list)) throw wrongArgument('a list of numbers', list)
    if (list.length !== (first as ArrayLike<number>).length) {
      throw wrongArgument(`as many numbers as ${(first as ArrayLike<number>).length}`, list.length)
    }
  }
}

function isNumbers(list: unknown): list is ArrayLike<number> {
  if (!Array.isArray(list) && !ArrayBuffer.isView(list)) return false
  const { length } = list as Partial<ArrayLike<unknown>>
  if (length === undefined) return false // a DataView
  return Array.from(list as ArrayLike<unknown>).every((value) => typeof value === 'number')
}

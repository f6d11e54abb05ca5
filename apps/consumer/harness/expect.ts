/** @file Checks of what a scenario saw. */

/**
 * Gives `shown`, which is `got` unless given.
 *
 * @throws Error when `got` is not `expected`
 */
export function expectEqual<T>(got: T, expected: T, shown: string = String(got)): string {
  const [left, right] = [JSON.stringify(got), JSON.stringify(expected)]
  if (left !== right) throw new Error(`Expected ${right},\ngot      ${left}`)
  return shown
}

/**
 * Gives `got`.
 *
 * @throws Error when it does not match
 */
export function expectMatch(got: string, pattern: RegExp): string {
  if (!pattern.test(got)) throw new Error(`Expected ${pattern},\ngot      ${got}`)
  return got
}

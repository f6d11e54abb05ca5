/** The middle of the values; the upper one of two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN
}

/** Random 32-bit words: xorshift, for data that only has to look like data. */
export function randomWords(count: number, seed: number = 1): Uint32Array {
  const out = new Uint32Array(count)
  let state = seed | 1
  for (let i = 0; i < count; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    out[i] = state
  }
  return out
}

/** @file Tiles of matrix products: large ones read least, small ones keep all of a GPU busy. */

/** Rows and columns of the output that a workgroup makes. */
export interface TileSize {
  readonly m: number
  readonly n: number
}

// A tile may make half as many rows again as there are, which are thrown away.
const MOST_WASTE = 1.5

/**
 * Of `candidates`, largest first, the first that makes as many workgroups as wanted of an output of `m` rows
 * and `n` columns and does not waste much; otherwise the one of most workgroups.
 */
export function largestOf<T>(
  candidates: readonly T[],
  m: number,
  n: number,
  wantedWorkgroups: number,
  sizeOf: (candidate: T) => TileSize,
): T | undefined {
  const isGood = (candidate: T): boolean => {
    const size = sizeOf(candidate)
    const rows = Math.ceil(m / size.m)
    return (
      rows * Math.ceil(n / size.n) >= wantedWorkgroups &&
      rows * size.m <= Math.max(MOST_WASTE * m, 16)
    )
  }
  return candidates.find(isGood) ?? candidates.at(-1)
}

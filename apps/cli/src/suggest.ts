/** @file "Did you mean ...?" */

import { closestMatch } from 'leven'

/** The candidate nearest to `word`, unless all are far from it; capitals do not count. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const byLower = new Map(candidates.map((candidate) => [candidate.toLowerCase(), candidate]))
  const maxDistance = Math.max(2, Math.floor(word.length / 2)) - 1
  const found = closestMatch(word.toLowerCase(), [...byLower.keys()], { maxDistance })
  return found === undefined ? undefined : byLower.get(found)
}

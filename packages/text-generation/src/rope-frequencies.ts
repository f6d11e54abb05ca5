/** @file From a rope config to how fast each pair of a head's elements turns. */

import { takes, ValueError } from '@ao/base-tensor'
import type { RopeConfig } from './rope-config.ts'
import type { RotaryFrequencies } from './rotary-table.ts'

/**
 * Radians per position, for each pair of a head's elements: transformers' `inv_freq`, in float32.
 *
 * @param rotaryDim - elements of a head that turn: the head's size, or less for partial rotary
 * @param length - tokens of the sequence, for rotations that depend on it: 1 unless given
 * @returns rotaryDim / 2 frequencies, falling
 * @throws {@link ValueError} for a size that is not even, and for factors of other heads
 */
export function rotaryFrequencies(
  rope: RopeConfig,
  rotaryDim: number,
  length: number = 1,
): RotaryFrequencies {
  takes('o<type:x>nn?', rope, rotaryDim, length)
  const half = rotaryDim / 2
  if (!(Number.isInteger(half) && rotaryDim >= 0 && rotaryDim < 2 ** 24)) {
    throw refused('an even number of elements that turn', rotaryDim)
  }
  if (rope.type === 'none') return { inverseFrequencies: new Float32Array(half) }
  const theta = rope.type === 'dynamic' ? stretchedTheta(rope, rotaryDim, length) : rope.theta
  /** The length of each wave, over 2 pi. */
  const lengths = Float32Array.from(
    { length: half },
    (_, i) => theta ** fround((2 * i) / rotaryDim),
  )
  switch (rope.type) {
    case 'default':
    case 'dynamic':
      return { inverseFrequencies: lengths.map((wave) => 1 / wave) }
    case 'linear':
      return { inverseFrequencies: lengths.map((wave) => fround(1 / wave) / rope.factor) }
    case 'llama3':
      return { inverseFrequencies: lengths.map((wave) => llama3Frequency(rope, fround(1 / wave))) }
    case 'yarn':
      return {
        inverseFrequencies: yarnFrequencies(rope, lengths),
        attentionFactor: rope.attentionFactor,
      }
    case 'longrope': {
      const isLong = length > rope.originalMaxPositions
      const factors = isLong ? rope.longFactors : rope.shortFactors
      if (factors.length !== half) throw refused(`${half} factors of longrope`, factors.length)
      const frequency = (wave: number, i: number): number =>
        1 / fround(fround(factors[i] as number) * wave)
      return { inverseFrequencies: lengths.map(frequency), attentionFactor: rope.attentionFactor }
    }
  }
}

/**
 * What of a sequence's length a rope depends on: two sequences with equal numbers have equal rotations.
 *
 * @returns undefined for ropes that do not depend on it
 */
export function ropeRegime(rope: RopeConfig, length: number): number | undefined {
  takes('o<type:x>n', rope, length)
  if (rope.type !== 'dynamic' && rope.type !== 'longrope') return undefined
  if (length <= rope.originalMaxPositions) return 0
  return rope.type === 'dynamic' ? length : 1
}

const { fround } = Math

type Rope<Type> = Extract<RopeConfig, { readonly type: Type }>

/** Waves of the whole sequence are as long as those of the original one, the shortest as they were. */
function stretchedTheta(rope: Rope<'dynamic'>, rotaryDim: number, length: number): number {
  const { theta, factor, originalMaxPositions } = rope
  const times = Math.max(length, originalMaxPositions) / originalMaxPositions
  return theta * (factor * times - (factor - 1)) ** (rotaryDim / (rotaryDim - 2))
}

function llama3Frequency(rope: Rope<'llama3'>, frequency: number): number {
  // How often the wave turns within the context that the model was first trained on. Fast waves
  // stay, slow ones are stretched by the factor, those between go from one to the other linearly.
  const turns = (rope.originalMaxPositions * frequency) / (2 * Math.PI)
  const kept = (turns - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor)
  const share = Math.min(Math.max(kept, 0), 1)
  return share * frequency + ((1 - share) * frequency) / rope.factor
}

function yarnFrequencies(rope: Rope<'yarn'>, lengths: Float32Array): Float32Array {
  const { theta, factor, originalMaxPositions, betaFast, betaSlow, truncate } = rope
  const half = lengths.length
  // The pair whose wave turns so often within the original context.
  const pairOf = (turns: number): number =>
    (half * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / Math.log(theta)
  const [fast, slow] = [pairOf(betaFast), pairOf(betaSlow)]
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0)
  const high = Math.min(truncate ? Math.ceil(slow) : slow, 2 * half - 1)
  const width = high === low ? 0.001 : high - low
  return lengths.map((wave, i) => {
    const stretched = fround(Math.min(Math.max(fround(i - low) / width, 0), 1))
    const kept = fround(1 - stretched)
    return (
      fround(fround(1 / fround(factor * wave)) * fround(1 - kept)) + fround(fround(1 / wave) * kept)
    )
  })
}

function refused(expected: string, got: number): ValueError {
  return new ValueError({ package: '@ao/text-generation', expected, got: String(got) })
}

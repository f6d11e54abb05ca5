/** @file From a rope config to how fast each pair of a head's elements turns. */

import { takes, ValueError } from '@ao/base-tensor'
import type { RopeConfig } from './rope-config.ts'
import type { RotaryFrequencies } from './rotary-table.ts'

/**
 * Radians per position, for each pair of a head's elements: transformers' `inv_freq`, in float32.
 *
 * @param rotaryDim - elements of a head that turn: the head's size, or less for partial rotary
 * @returns rotaryDim / 2 frequencies, falling
 * @throws {@link ValueError} for a size that is not even
 */
export function rotaryFrequencies(rope: RopeConfig, rotaryDim: number): RotaryFrequencies {
  takes('o<type:x theta:n>n', rope, rotaryDim)
  if (!(Number.isInteger(rotaryDim / 2) && rotaryDim >= 0 && rotaryDim < 2 ** 24)) {
    throw new ValueError({
      package: '@ao/text-generation',
      expected: 'an even number of elements that turn',
      got: String(rotaryDim),
    })
  }
  const inverseFrequencies = Float32Array.from({ length: rotaryDim / 2 }, (_, i) => {
    const frequency = 1 / Math.fround(rope.theta ** Math.fround((2 * i) / rotaryDim))
    return scaleFrequency(rope, Math.fround(frequency))
  })
  return { inverseFrequencies }
}

function scaleFrequency(rope: RopeConfig, frequency: number): number {
  switch (rope.type) {
    case 'default':
      return frequency
    case 'linear':
      return frequency / rope.factor
    case 'llama3': {
      // How often the wave turns within the context that the model was first trained on. Fast waves
      // stay, slow ones are stretched by the factor, those between go from one to the other linearly.
      const turns = (rope.originalMaxPositions * frequency) / (2 * Math.PI)
      const kept = (turns - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor)
      const share = Math.min(Math.max(kept, 0), 1)
      return share * frequency + ((1 - share) * frequency) / rope.factor
    }
  }
}

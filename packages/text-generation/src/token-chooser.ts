/** @file Choosing a token from logits that may be on another device. */

import { freeTensor, readFloat32, type Tensor } from '@ao/base-tensor'
import { topKTokens } from './ops/choose.ts'
import { createSampler, type SamplingOptions } from './sampler.ts'

/** Chooses a token from logits (1, vocabulary). */
export type TokenChooser = (logits: Tensor) => Promise<number>

// Devices find no more candidates than that; reading all logits is as good then.
const MAX_CANDIDATES = 1024

/**
 * A {@link createSampler} for tensors. Where `topK` says how many tokens count, these are found on the
 * logits' device and nothing else is read; the choice is the same as from all logits.
 *
 * @throws {@link ValueError} for options out of range
 */
export function tokenChooser(options: SamplingOptions): TokenChooser {
  const { temperature = 0, topK, topP, seed = 0 } = options
  const sample = createSampler({
    ...{ temperature, seed },
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
  })
  return async (logits) => {
    const vocabulary = logits.shape[1] as number
    const candidates = temperature > 0 && topK !== undefined ? topK : Infinity
    const isSmall = candidates <= MAX_CANDIDATES && candidates < vocabulary
    if (logits.device.isHost || !isSmall) return sample(await readFloat32(logits))
    return sampleFew(logits, candidates, sample)
  }
}

async function sampleFew(
  logits: Tensor,
  topK: number,
  sample: (logits: Float32Array) => number,
): Promise<number> {
  const best = topKTokens(logits, topK)
  try {
    const numbers = await readFloat32(best)
    // Candidates are in the order of ids, as they are among all logits.
    return numbers[topK + sample(numbers.subarray(0, topK))] as number
  } finally {
    freeTensor(best)
  }
}

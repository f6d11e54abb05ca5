/** @file Mistral: a sliding window in every layer. */

import type { CausalLMFamily } from '../family.ts'
import { parseShape, parseWindow, windowsOf } from '../shape.ts'

/** Mistral 7B, Nemo, Small, and others of `model_type` mistral. */
export const mistral: CausalLMFamily = {
  modelTypes: ['mistral'],
  architectures: ['MistralForCausalLM', 'MistralModel'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 32000, hiddenSize: 4096, intermediateSize: 14336, numLayers: 32 },
      ...{ numHeads: 32, numKeyValueHeads: 8, maxPositions: 4096 * 32 },
      ...{ rmsNormEps: 1e-6, theta: 10000, eosTokenIds: [2] },
    })
    const window = parseWindow(fields, 4096)
    return { ...shape, ...windowsOf(shape, new Array(shape.numLayers).fill(window)) }
  },
}

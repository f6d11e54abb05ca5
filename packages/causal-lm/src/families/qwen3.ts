/** @file Qwen3: norms of queries and keys. */

import type { CausalLMFamily } from '../family.ts'
import { parseOptionalWindows, parseShape } from '../shape.ts'

/** Qwen3, dense. */
export const qwen3: CausalLMFamily = {
  modelTypes: ['qwen3'],
  architectures: ['Qwen3ForCausalLM', 'Qwen3Model'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 151936, hiddenSize: 4096, intermediateSize: 22016, numLayers: 32 },
      ...{ numHeads: 32, numKeyValueHeads: 32, headDim: 128, maxPositions: 32768 },
      ...{ rmsNormEps: 1e-6, theta: 10000, eosTokenIds: [] },
    })
    return { ...shape, qkNorm: 'head', ...parseOptionalWindows(fields, shape) }
  },
}

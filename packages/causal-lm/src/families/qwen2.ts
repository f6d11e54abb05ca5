/** @file Qwen 1.5 to 2.5: biases of queries, keys and values. */

import type { CausalLMFamily } from '../family.ts'
import { parseOptionalWindows, parseShape } from '../shape.ts'

/** Qwen1.5, Qwen2, Qwen2.5 and QwQ, DeepSeek-R1-Distill-Qwen. */
export const qwen2: CausalLMFamily = {
  modelTypes: ['qwen2'],
  architectures: ['Qwen2ForCausalLM', 'Qwen2Model'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 151936, hiddenSize: 4096, intermediateSize: 22016, numLayers: 32 },
      ...{ numHeads: 32, numKeyValueHeads: 32, maxPositions: 32768 },
      ...{ rmsNormEps: 1e-6, theta: 10000, eosTokenIds: [] },
    })
    return { ...shape, qkvBias: true, ...parseOptionalWindows(fields, shape) }
  },
}

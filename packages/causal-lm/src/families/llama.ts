/** @file Llama 1 to 3, and the many models of the same shape. */

import type { CausalLMFamily } from '../family.ts'
import { parseShape } from '../shape.ts'

/** Llama 1 to 3.3, TinyLlama, Vicuna, Yi, DeepSeek-Coder, SmolLM 1 and 2, and others of `model_type` llama. */
export const llama: CausalLMFamily = {
  modelTypes: ['llama'],
  architectures: ['LlamaForCausalLM', 'LLaMAForCausalLM', 'LlamaModel'],
  parse: (fields) => ({
    ...parseShape(fields, {
      ...{ vocabSize: 32000, hiddenSize: 4096, intermediateSize: 11008, numLayers: 32 },
      ...{ numHeads: 32, maxPositions: 2048, rmsNormEps: 1e-6, theta: 10000, eosTokenIds: [2] },
    }),
    mlpBias: fields.boolean('mlp_bias', false),
  }),
}

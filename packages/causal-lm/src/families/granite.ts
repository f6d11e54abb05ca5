/** @file Granite 3: Llama with a factor at each joint. */

import type { CausalLMFamily } from '../family.ts'
import { parseShape } from '../shape.ts'

/** Granite 3 and 4 of `model_type` granite. */
export const granite: CausalLMFamily = {
  modelTypes: ['granite'],
  architectures: ['GraniteForCausalLM', 'GraniteModel'],
  parse: (fields) => {
    const factor = (name: string): number => fields.number(name, 1, 1e-9, 1e9)
    return {
      ...parseShape(fields, {
        ...{ vocabSize: 32000, hiddenSize: 4096, intermediateSize: 11008, numLayers: 32 },
        ...{ numHeads: 32, maxPositions: 2048, rmsNormEps: 1e-6, theta: 10000, eosTokenIds: [2] },
      }),
      mlpBias: fields.boolean('mlp_bias', false),
      attentionScale: factor('attention_multiplier'),
      embeddingScale: factor('embedding_multiplier'),
      residualScale: factor('residual_multiplier'),
      logitScale: 1 / factor('logits_scaling'),
    }
  },
}

/** @file OLMo 2: norms after both branches, and of all queries and keys of a token. */

import { Attention } from '../attention.ts'
import type { CausalLMFamily } from '../family.ts'
import { GatedMLP } from '../gated-mlp.ts'
import { parseShape } from '../shape.ts'

/** OLMo 2. */
export const olmo2: CausalLMFamily = {
  modelTypes: ['olmo2'],
  architectures: ['Olmo2ForCausalLM', 'Olmo2Model'],
  parse: (fields) => ({
    ...parseShape(fields, {
      ...{ vocabSize: 50304, hiddenSize: 4096, intermediateSize: 11008, numLayers: 32 },
      ...{ numHeads: 32, maxPositions: 2048, rmsNormEps: 1e-5, theta: 10000 },
      eosTokenIds: [50279],
    }),
    qkNorm: 'whole',
    normOffset: 0,
  }),
  branches: (config, _layer, make) => [
    { name: 'self_attn', module: new Attention(config, make), after: 'post_attention_layernorm' },
    { name: 'mlp', module: new GatedMLP(config, make), after: 'post_feedforward_layernorm' },
  ],
}

/** @file What Gemma 2 and 3 share: norms around both branches, and embeddings that are scaled. */

import type { ConfigFields } from '@ao/text-generation'
import { Attention } from '../attention.ts'
import type { CausalLMConfig } from '../config.ts'
import type { CausalLMFamily } from '../family.ts'
import { GatedMLP } from '../gated-mlp.ts'
import { parseActivation, parseShape, type ShapeDefaults } from '../shape.ts'

/** Norms before and after attention and MLP. */
export const gemmaBranches: NonNullable<CausalLMFamily['branches']> = (config, _layer, make) => [
  {
    ...{ name: 'self_attn', module: new Attention(config, make) },
    ...{ before: 'input_layernorm', after: 'post_attention_layernorm' },
  },
  {
    ...{ name: 'mlp', module: new GatedMLP(config, make) },
    ...{ before: 'pre_feedforward_layernorm', after: 'post_feedforward_layernorm' },
  },
]

/** What both families read alike. */
export function parseGemma(
  fields: ConfigFields,
  defaults: Omit<ShapeDefaults, 'rmsNormEps' | 'eosTokenIds' | 'isTied' | 'headDim'>,
  caps: Readonly<Record<'attention' | 'final', number | undefined>>,
): CausalLMConfig {
  const shape = parseShape(fields, {
    ...defaults,
    ...{ headDim: 256, rmsNormEps: 1e-6, eosTokenIds: [1], isTied: true },
  })
  const cap = (name: string, fallback: number | undefined): number | undefined =>
    fields.get(name) === undefined && (fields.has(name) || fallback === undefined)
      ? undefined
      : fields.number(name, fallback, 1e-6, 1e9)
  return {
    ...shape,
    // Early files have both fields, of which transformers reads this one.
    hiddenAct: parseActivation(fields, 'hidden_activation', 'gelu_pytorch_tanh'),
    normOffset: 1,
    embeddingScale: Math.sqrt(shape.hiddenSize),
    roundsEmbeddingScale: true,
    attentionScale: fields.number('query_pre_attn_scalar', 256, 1e-6, 1e9) ** -0.5,
    attentionSoftcap: cap('attn_logit_softcapping', caps.attention),
    logitSoftcap: cap('final_logit_softcapping', caps.final),
  }
}

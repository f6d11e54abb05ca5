/** @file Mixtral: Mistral with experts. */

import type { TensorSource } from '@ao/text-generation'
import { Attention } from '../attention.ts'
import type { CausalLMFamily } from '../family.ts'
import { parseShape, parseWindow, windowsOf } from '../shape.ts'
import { SparseMoE } from '../sparse-moe.ts'

/** Mixtral 8x7B and 8x22B. */
export const mixtral: CausalLMFamily = {
  modelTypes: ['mixtral'],
  architectures: ['MixtralForCausalLM', 'MixtralModel'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 32000, hiddenSize: 4096, intermediateSize: 14336, numLayers: 32 },
      ...{ numHeads: 32, numKeyValueHeads: 8, maxPositions: 4096 * 32 },
      ...{ rmsNormEps: 1e-5, theta: 1_000_000, eosTokenIds: [2] },
    })
    const count = fields.size('num_local_experts', 8, 4096)
    const perToken = fields.size('num_experts_per_tok', 2, count)
    const { intermediateSize } = shape
    return {
      ...shape,
      ...windowsOf(shape, new Array(shape.numLayers).fill(parseWindow(fields))),
      experts: { count, perToken, intermediateSize, isNormalized: true },
    }
  },
  fields: { inactive: { router_jitter_noise: [0], output_router_logits: [false] } },
  branches: (config, _layer, make) => [
    { name: 'self_attn', module: new Attention(config, make), before: 'input_layernorm' },
    {
      ...{ name: 'block_sparse_moe', module: new SparseMoE(config, make) },
      before: 'post_attention_layernorm',
    },
  ],
  sources: (parameter, { experts }) => {
    const own = /^(.*\.experts)\.(gate_up_proj|down_proj)$/.exec(parameter)
    if (!own) return [{ keys: [[parameter.replace('.block_sparse_moe.', '.mlp.')]] }]
    const parts = own[2] === 'down_proj' ? ['w2'] : ['w1', 'w3']
    return [expertSource(own[1] as string, experts?.count ?? 0, parts)]
  },
}

/** A parameter of all experts, stored expert by expert and part by part. */
export function expertSource(
  prefix: string,
  count: number,
  parts: readonly string[],
): TensorSource {
  const keys = Array.from({ length: count }, (_, expert) =>
    parts.map((part) => `${prefix}.${expert}.${part}.weight`),
  )
  return { keys, isStacked: true }
}

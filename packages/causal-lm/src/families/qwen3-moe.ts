/** @file Qwen3 with experts. */

import { Attention } from '../attention.ts'
import type { CausalLMFamily } from '../family.ts'
import { GatedMLP } from '../gated-mlp.ts'
import { intermediateSize, parseShape, parseWindow, windowsOf } from '../shape.ts'
import { SparseMoE } from '../sparse-moe.ts'
import { expertSource } from './mixtral.ts'

/** Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder. */
export const qwen3Moe: CausalLMFamily = {
  modelTypes: ['qwen3_moe'],
  architectures: ['Qwen3MoeForCausalLM', 'Qwen3MoeModel'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 151936, hiddenSize: 2048, intermediateSize: 6144, numLayers: 24 },
      ...{ numHeads: 32, numKeyValueHeads: 4, maxPositions: 32768 },
      ...{ rmsNormEps: 1e-6, theta: 10000, eosTokenIds: [] },
    })
    // transformers 5 has another name for it.
    const count = fields.size('num_experts', fields.size('num_local_experts', 128, 4096), 4096)
    const step = fields.size('decoder_sparse_step', 1, 1024)
    const dense = fields.get('mlp_only_layers') ?? []
    const isUsed = fields.boolean('use_sliding_window', false)
    const window = parseWindow(fields, 4096)
    const windows = new Array<number | undefined>(shape.numLayers).fill(isUsed ? window : undefined)
    return {
      ...shape,
      qkNorm: 'head',
      ...windowsOf(shape, windows),
      experts: {
        count,
        perToken: fields.size('num_experts_per_tok', 8, count),
        intermediateSize: intermediateSize(fields, 'moe_intermediate_size', 768),
        isNormalized: fields.boolean('norm_topk_prob', false),
        isSparse: windows.map(
          (_, layer) => (layer + 1) % step === 0 && ![dense].flat().includes(layer),
        ),
      },
    }
  },
  fields: { inactive: { output_router_logits: [false] } },
  branches: (config, layer, make) => [
    { name: 'self_attn', module: new Attention(config, make), before: 'input_layernorm' },
    {
      name: 'mlp',
      module: config.experts?.isSparse?.[layer]
        ? new SparseMoE(config, make)
        : new GatedMLP(config, make),
      before: 'post_attention_layernorm',
    },
  ],
  sources: (parameter, { experts }) => {
    const own = /^(.*\.experts)\.(gate_up_proj|down_proj)$/.exec(parameter)
    if (!own) return []
    const parts = own[2] === 'down_proj' ? ['down_proj'] : ['gate_proj', 'up_proj']
    return [expertSource(own[1] as string, experts?.count ?? 0, parts)]
  },
}

/** @file gpt-oss: sinks in its attention, and experts with biases and a clamped gate. */

import { Attention } from '../attention.ts'
import type { CausalLMFamily } from '../family.ts'
import { clampedGate } from '../ops/clamped-gate.ts'
import { parseShape, parseWindow, parseWindows, windowsOf } from '../shape.ts'
import { SparseMoE } from '../sparse-moe.ts'

/** Where gates and ups are cut. */
const LIMIT = 7

/** gpt-oss-20b and gpt-oss-120b, with weights of floating dtypes. */
export const gptOss: CausalLMFamily = {
  modelTypes: ['gpt_oss'],
  architectures: ['GptOssForCausalLM', 'GptOssModel'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 201088, hiddenSize: 2880, intermediateSize: 2880, numLayers: 36 },
      ...{ numHeads: 64, numKeyValueHeads: 8, headDim: 64, maxPositions: 131072 },
      ...{ rmsNormEps: 1e-5, theta: 150_000, eosTokenIds: [], attentionBias: true },
    })
    const window = parseWindow(fields, 128)
    const windows = parseWindows(fields, shape, window, (layer) => layer % 2 === 0)
    const count = fields.size('num_local_experts', 128, 4096)
    return {
      ...shape,
      normOffset: 0,
      hasSinks: true,
      ...windowsOf(shape, windows),
      experts: {
        count,
        perToken: fields.size('num_experts_per_tok', 4, count),
        intermediateSize: shape.intermediateSize,
        isNormalized: true,
      },
    }
  },
  fields: {
    inactive: {
      output_router_logits: [false],
      swiglu_limit: [LIMIT],
      experts_per_token: (value, { experts }) => value === experts?.perToken,
      initial_context_length: (value, { rope }) =>
        'originalMaxPositions' in rope && value === rope.originalMaxPositions,
    },
  },
  branches: (config, _layer, make) => [
    { name: 'self_attn', module: new Attention(config, make), before: 'input_layernorm' },
    {
      name: 'mlp',
      module: new SparseMoE(config, make, {
        router: 'router',
        hasBiases: true,
        activate: (gateUp) => clampedGate(gateUp, { limit: LIMIT, alpha: 1.702 }),
      }),
      before: 'post_attention_layernorm',
    },
  ],
  // Files hold experts as (E, in, out).
  sources: (parameter) =>
    /\.experts\.(gate_up|down)_proj$/.test(parameter)
      ? [{ keys: [[parameter]], isTransposed: true }]
      : [],
}

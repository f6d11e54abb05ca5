/** @file LFM2: short convolutions in most layers, attention in some. */

import { mul, reshape, slice, takes, type Tensor } from '@ao/base-tensor'
import { Module } from '@ao/nn'
import type { ConfigFields } from '@ao/text-generation'
import { Attention } from '../attention.ts'
import type { CausalLMConfig } from '../config.ts'
import type { CausalLMFamily } from '../family.ts'
import { fieldNames } from '../fields.ts'
import { GatedMLP } from '../gated-mlp.ts'
import { adopt, child, makeLinear, type MakeParameter, type Step } from '../module.ts'
import { append } from '../ops/append.ts'
import { shortConv } from '../ops/short-conv.ts'
import { intermediateSize, parseShape } from '../shape.ts'

/** What LFM2's layers need besides the fields of all. */
interface Lfm2Config extends CausalLMConfig {
  readonly convTaps: number
  readonly convBias: boolean
}

const ATTENTION = { o: 'out_proj', qNorm: 'q_layernorm', kNorm: 'k_layernorm' }
const MLP = { gate: 'w1', up: 'w3', down: 'w2' }

/** LFM2. */
export const lfm2: CausalLMFamily = {
  modelTypes: ['lfm2'],
  architectures: ['Lfm2ForCausalLM', 'Lfm2Model'],
  parse,
  fields: {
    harmless: fieldNames(`block_dim conv_dim conv_dim_out num_heads block_mlp_init_scale
      block_norm_eps block_out_init_scale block_use_swiglu block_use_xavier_init conv_use_xavier_init
      use_pos_enc`),
  },
  names: { norm: 'embedding_norm' },
  branches: (config, layer, make) => [
    {
      ...(config.layerCaches?.[layer]?.keysOnly
        ? { name: 'conv', module: new ShortConv(config as Lfm2Config, make) }
        : { name: 'self_attn', module: new Attention(config, make, ATTENTION) }),
      before: 'operator_norm',
    },
    { name: 'feed_forward', module: new GatedMLP(config, make, MLP), before: 'ffn_norm' },
  ],
}

function parse(fields: ConfigFields): Lfm2Config {
  const shape = parseShape(
    fields,
    {
      ...{ vocabSize: 65536, hiddenSize: 2560, intermediateSize: 12288, numLayers: 32 },
      ...{ numHeads: 32, numKeyValueHeads: 8, maxPositions: 128_000, rmsNormEps: 1e-5 },
      ...{ theta: 1_000_000, eosTokenIds: [2], isTied: fields.boolean('tie_embedding', true) },
    },
    { eps: 'norm_eps' },
  )
  const { numLayers, hiddenSize, numKeyValueHeads, headDim } = shape
  const attends = fields.get('full_attn_idxs')
  const types = fields.layers('layer_types', numLayers, ['conv', 'full_attention'], (layer) =>
    attends === undefined || [attends].flat().includes(layer) ? 'full_attention' : 'conv',
  )
  const convTaps = fields.size('conv_L_cache', 3, 1024)
  const width = intermediateSize(fields, 'block_ff_dim', shape.intermediateSize)
  return {
    ...shape,
    intermediateSize: adjustedWidth(fields, width),
    qkNorm: 'head',
    convTaps,
    convBias: fields.boolean('conv_bias', false),
    layerCaches: types.map((type) =>
      type === 'conv'
        ? { numKeyValueHeads: 1, headDim: hiddenSize, slidingWindow: convTaps, keysOnly: true }
        : { numKeyValueHeads, headDim },
    ),
  }
}

/** The MLP's width: two thirds, times a factor, rounded up. */
function adjustedWidth(fields: ConfigFields, width: number): number {
  const factor = fields.number('block_ffn_dim_multiplier', 1, 1e-3, 1e3)
  const multiple = fields.size('block_multiple_of', 256, 2 ** 19)
  if (!fields.boolean('block_auto_adjust_ff_dim', true)) return width
  return multiple * Math.ceil(Math.floor(factor * Math.floor((2 * width) / 3)) / multiple)
}

/** `out_proj(C * conv(B * x))`, with B, C and x of one Linear. */
class ShortConv extends Module {
  constructor({ hiddenSize, convTaps, convBias }: Lfm2Config, make: MakeParameter) {
    super()
    adopt(this, {
      in_proj: makeLinear(make, 3 * hiddenSize, hiddenSize, convBias),
      conv: new Taps(make(hiddenSize, 1, convTaps), convBias ? make(hiddenSize) : undefined),
      out_proj: makeLinear(make, hiddenSize, hiddenSize, convBias),
    })
  }

  forward(x: Tensor, { cache, layer }: Step): Tensor {
    takes('to<cache layer:n>', x, { cache, layer })
    const [tokens, size] = x.shape as [number, number]
    const all = child(this, 'in_proj').forward(x)
    const part = (i: number): Tensor => slice(all, 1, i * size, (i + 1) * size)
    const { keys } = cache.layer(layer)
    append(reshape(mul(part(0), part(2)), [tokens, 1, size]), keys, cache.position(0))
    const { weight, bias } = child<Taps>(this, 'conv')
    const mixed = shortConv(keys, weight, bias, cache.position(tokens), tokens)
    return child(this, 'out_proj').forward(mul(part(1), mixed))
  }
}

/** The factors of a convolution: `weight` (C, 1, L), `bias` (C). */
class Taps extends Module {
  declare weight: Tensor
  declare bias: Tensor | undefined

  constructor(weight: Tensor, bias: Tensor | undefined) {
    super()
    adopt(this, { weight, bias })
  }
}

/**
 * @file Llama's layers. Properties have the names of Hugging Face checkpoints, so that a parameter's
 * place in the module tree is its name in the file.
 *
 * Shapes in comments: T tokens, H query heads, G key and value heads, D headDim.
 */

import {
  DenseTensor,
  add,
  mul,
  reshape,
  type Device,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { Embedding, gelu, Linear, Module, RMSNorm } from '@ao/nn'
import type { LlamaConfig } from './config.ts'
import { floatDType } from './float-dtype.ts'
import type { KVCache } from './kv-cache.ts'
import { attention } from './ops/attention.ts'
import { rope } from './ops/rope.ts'
import { siluMul } from './ops/silu-mul.ts'
import { rotaryTable, type RotaryTable } from './rotary-table.ts'

/** Makes a parameter of a new module. */
export type MakeParameter = (...shape: number[]) => Tensor

/** What a layer needs besides its input: where the tokens stand and what came before them. */
interface Step {
  readonly rotary: RotaryTable
  readonly cache: KVCache
  readonly layer: number
}

/** Self-attention with grouped query heads and rotary positions. */
export class LlamaAttention extends Module {
  q_proj: Linear
  k_proj: Linear
  v_proj: Linear
  o_proj: Linear
  readonly #config: LlamaConfig

  constructor(config: LlamaConfig, make: MakeParameter) {
    super()
    const { hiddenSize, headDim, attentionBias: bias } = config
    const queries = config.numHeads * headDim
    const keys = config.numKeyValueHeads * headDim
    this.#config = config
    this.q_proj = makeLinear(make, queries, hiddenSize, bias)
    this.k_proj = makeLinear(make, keys, hiddenSize, bias)
    this.v_proj = makeLinear(make, keys, hiddenSize, bias)
    this.o_proj = makeLinear(make, hiddenSize, queries, bias)
  }

  forward(x: Tensor, { rotary, cache, layer }: Step): Tensor {
    const { headDim } = this.#config
    const start = cache.length
    const q = reshape(this.q_proj.forward(x), [-1, this.#config.numHeads, headDim]) // (T, H, D)
    const k = reshape(this.k_proj.forward(x), [-1, this.#config.numKeyValueHeads, headDim]) // (T, G, D)
    const v = reshape(this.v_proj.forward(x), k.shape)
    const past = cache.append(layer, rope(k, rotary.cos, rotary.sin, start), v)
    const rotated = rope(q, rotary.cos, rotary.sin, start)
    const out = attention(rotated, past.keys, past.values, past.length)
    return this.o_proj.forward(reshape(out, [x.shape[0] as number, -1]))
  }
}

/** The gated MLP: `down(act(gate(x)) * up(x))`. */
export class LlamaMLP extends Module {
  gate_proj: Linear
  up_proj: Linear
  down_proj: Linear
  readonly #act: LlamaConfig['hiddenAct']

  constructor(config: LlamaConfig, make: MakeParameter) {
    super()
    const { hiddenSize, intermediateSize, mlpBias: bias } = config
    this.#act = config.hiddenAct
    this.gate_proj = makeLinear(make, intermediateSize, hiddenSize, bias)
    this.up_proj = makeLinear(make, intermediateSize, hiddenSize, bias)
    this.down_proj = makeLinear(make, hiddenSize, intermediateSize, bias)
  }

  forward(x: Tensor): Tensor {
    const gate = this.gate_proj.forward(x)
    const up = this.up_proj.forward(x)
    return this.down_proj.forward(this.#act === 'silu' ? siluMul(gate, up) : mul(gelu(gate), up))
  }
}

/** Attention and MLP, each behind a norm and added to its input. */
export class LlamaDecoderLayer extends Module {
  self_attn: LlamaAttention
  mlp: LlamaMLP
  input_layernorm: RMSNorm
  post_attention_layernorm: RMSNorm

  constructor(config: LlamaConfig, make: MakeParameter) {
    super()
    this.self_attn = new LlamaAttention(config, make)
    this.mlp = new LlamaMLP(config, make)
    this.input_layernorm = new RMSNorm(make(config.hiddenSize), config.rmsNormEps)
    this.post_attention_layernorm = new RMSNorm(make(config.hiddenSize), config.rmsNormEps)
  }

  forward(x: Tensor, step: Step): Tensor {
    const attended = add(x, this.self_attn.forward(this.input_layernorm.forward(x), step))
    return add(attended, this.mlp.forward(this.post_attention_layernorm.forward(attended)))
  }
}

/** The decoder without its output head: tokens to hidden states. */
export class LlamaModel extends Module {
  embed_tokens: Embedding
  layers: LlamaDecoderLayer[]
  norm: RMSNorm
  readonly #config: LlamaConfig
  #rotary: RotaryTable | undefined

  constructor(config: LlamaConfig, make: MakeParameter) {
    super()
    this.#config = config
    this.embed_tokens = new Embedding(make(config.vocabSize, config.hiddenSize))
    this.layers = Array.from(
      { length: config.numLayers },
      () => new LlamaDecoderLayer(config, make),
    )
    this.norm = new RMSNorm(make(config.hiddenSize), config.rmsNormEps)
  }

  /** The dtype that activations have. */
  get dtype(): FloatDType {
    return floatDType(this.embed_tokens.weight, 'an embedding')
  }

  get device(): Device {
    return this.embed_tokens.weight.device
  }

  /** `ids`, T tokens that follow those in `cache` -> hidden states (T, hiddenSize) */
  forward(ids: readonly number[], cache: KVCache): Tensor {
    cache.reserve(ids.length)
    const rotary = this.#rotaryFor(cache.length + ids.length)
    const tokens = new DenseTensor(this.device.upload('int32', Int32Array.from(ids)), [ids.length])
    let x = this.embed_tokens.forward(tokens)
    this.layers.forEach((block, layer) => {
      x = block.forward(x, { rotary, cache, layer })
    })
    cache.advance(ids.length)
    return this.norm.forward(x)
  }

  #rotaryFor(positions: number): RotaryTable {
    const { dtype, device } = this
    const table = this.#rotary?.cos
    const [held = 0] = table?.shape ?? []
    if (this.#rotary && held >= positions && table?.dtype === dtype && table.device === device) {
      return this.#rotary
    }
    const size = Math.min(Math.max(positions, 2 * held), this.#config.maxPositions)
    this.#rotary = rotaryTable(this.#config.rope, this.#config.headDim, size, dtype, device)
    return this.#rotary
  }
}

/** A Linear of new parameters. */
export function makeLinear(
  make: MakeParameter,
  out: number,
  inputs: number,
  bias: boolean,
): Linear {
  return new Linear(make(out, inputs), bias ? make(out) : undefined)
}

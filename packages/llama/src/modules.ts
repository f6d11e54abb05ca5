/**
 * @file Llama's layers. Properties have the names of Hugging Face checkpoints, so that a parameter's
 * place in the module tree is its name in the file.
 *
 * Shapes in comments: T tokens, H query heads, G key and value heads, D headDim.
 */

import {
  add,
  cast,
  freeTensor,
  DenseTensor,
  inScope,
  isTensor,
  reshape,
  type Device,
  type FloatDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { Embedding, hasForwardHooks, Linear, Module, RMSNorm } from '@ao/nn'
import {
  addRmsNorm,
  attention,
  floatDType,
  gatedActivation,
  ropeAppend,
  rotaryFrequencies,
  rotaryTable,
  type KVCache,
  type RotaryTable,
} from '@ao/text-generation'
import type { LlamaConfig } from './config.ts'

/** Makes a parameter of a new module. */
export type MakeParameter = (...shape: number[]) => Tensor

/** What a layer needs besides its input: where the tokens stand and what came before them. */
interface Step {
  readonly rotary: RotaryTable
  readonly cache: KVCache
  readonly layer: number
}

/** What goes from layer to layer: the residual stream, and what the next layer's norm makes of it. */
interface Hidden {
  /** (T, hiddenSize) */
  readonly sum: Tensor
  /** (T, hiddenSize) */
  readonly normed: Tensor
}

/** The residual stream with the output of one more branch in it. */
function addBranch({ sum }: Hidden, branch: Tensor, next: RMSNorm): Hidden {
  if (hasForwardHooks(next)) {
    const total = add(sum, branch)
    return { sum: total, normed: next.forward(total) }
  }
  const [total, normed] = addRmsNorm(sum, branch, next.weight, next.eps, next)
  return { sum: total, normed }
}

/** Self-attention with grouped query heads and rotary positions. */
export class LlamaAttention extends Module {
  q_proj: Linear
  k_proj: Linear
  v_proj: Linear
  o_proj: Linear
  readonly #config: LlamaConfig

  constructor(config: LlamaConfig, make: MakeParameter) {
    takes('o<vocabSize:n hiddenSize:n intermediateSize:n>f', config, make)
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
    const start = cache.position(0)
    const { keys, values } = cache.layer(layer)
    const q = reshape(this.q_proj.forward(x), [-1, this.#config.numHeads, headDim]) // (T, H, D)
    const k = reshape(this.k_proj.forward(x), [-1, this.#config.numKeyValueHeads, headDim]) // (T, G, D)
    const v = reshape(this.v_proj.forward(x), k.shape)
    const rotated = ropeAppend(q, k, v, rotary.cos, rotary.sin, keys, values, start)
    const out = attention(rotated, keys, values, cache.position(x.shape[0] as number))
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
    takes('o<vocabSize:n hiddenSize:n intermediateSize:n>f', config, make)
    super()
    const { hiddenSize, intermediateSize, mlpBias: bias } = config
    this.#act = config.hiddenAct
    this.gate_proj = makeLinear(make, intermediateSize, hiddenSize, bias)
    this.up_proj = makeLinear(make, intermediateSize, hiddenSize, bias)
    this.down_proj = makeLinear(make, hiddenSize, intermediateSize, bias)
  }

  forward(x: Tensor): Tensor {
    takes('t', x)
    const gate = this.gate_proj.forward(x)
    const up = this.up_proj.forward(x)
    return this.down_proj.forward(gatedActivation(gate, up, this.#act))
  }
}

/** Attention and MLP, each behind a norm and added to its input. */
export class LlamaDecoderLayer extends Module {
  self_attn: LlamaAttention
  mlp: LlamaMLP
  input_layernorm: RMSNorm
  post_attention_layernorm: RMSNorm

  constructor(config: LlamaConfig, make: MakeParameter) {
    takes('o<vocabSize:n hiddenSize:n intermediateSize:n>f', config, make)
    super()
    this.self_attn = new LlamaAttention(config, make)
    this.mlp = new LlamaMLP(config, make)
    this.input_layernorm = new RMSNorm(make(config.hiddenSize), config.rmsNormEps)
    this.post_attention_layernorm = new RMSNorm(make(config.hiddenSize), config.rmsNormEps)
  }

  /** @param next - the norm of what comes after this layer */
  forward(hidden: Hidden, next: RMSNorm, step: Step): Hidden {
    takes('o<sum:t normed:t>o<forward:f extraRepr:f>o<rotary cache layer:n>', hidden, next, step)
    const attention = this.self_attn.forward(hidden.normed, step)
    const attended = addBranch(hidden, attention, this.post_attention_layernorm)
    return addBranch(attended, this.mlp.forward(attended.normed), next)
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
    takes('o<vocabSize:n hiddenSize:n intermediateSize:n>f', config, make)
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
    return floatDType(this.norm.weight, 'a norm')
  }

  get device(): Device {
    return this.embed_tokens.weight.device
  }

  /**
   * Makes room in `cache` for `tokens` more, and rotations for their positions: what outlives a step.
   *
   * @throws {@link ValueError} beyond `max_position_embeddings`
   */
  prepare(tokens: number, cache: KVCache): void {
    takes('no<position:f reserve:f>', tokens, cache)
    cache.reserve(tokens)
    this.#rotaryFor(cache.length + tokens)
  }

  /**
   * Hidden states (T, hiddenSize) of T tokens that follow those in `cache`.
   *
   * @param ids - or an int32 tensor of them on the model's device
   */
  forward(ids: readonly number[] | Tensor, cache: KVCache): Tensor {
    takes('.o<position:f reserve:f>', ids, cache)
    const count = isTensor(ids) ? ids.numel : ids.length
    this.prepare(count, cache)
    const rotary = this.#rotaryFor(cache.length + count)
    const out = inScope(this.device, () => this.#run(ids, cache, rotary))
    cache.advance(count)
    return out
  }

  #run(ids: readonly number[] | Tensor, cache: KVCache, rotary: RotaryTable): Tensor {
    const embedded = this.embed_tokens.forward(isTensor(ids) ? ids : this.#upload(ids))
    // A quantized embedding keeps the dtype that it was made from.
    const sum = embedded.dtype === this.dtype ? embedded : cast(embedded, this.dtype)
    const [first] = this.layers
    if (!first) return this.norm.forward(sum)
    let hidden: Hidden = { sum, normed: first.input_layernorm.forward(sum) }
    this.layers.forEach((block, layer) => {
      const next = this.layers[layer + 1]?.input_layernorm ?? this.norm
      // What a layer makes in between is free before the next one begins.
      hidden = inScope(this.device, () => block.forward(hidden, next, { rotary, cache, layer }))
    })
    return hidden.normed
  }

  #upload(ids: readonly number[]): Tensor {
    return new DenseTensor(this.device.upload('int32', Int32Array.from(ids)), [ids.length])
  }

  #rotaryFor(positions: number): RotaryTable {
    const { dtype, device } = this
    const table = this.#rotary?.cos
    const [held = 0] = table?.shape ?? []
    if (this.#rotary && held >= positions && table?.dtype === dtype && table.device === device) {
      return this.#rotary
    }
    const size = Math.min(Math.max(positions, 2 * held), this.#config.maxPositions)
    this.#dropRotary()
    const frequencies = rotaryFrequencies(this.#config.rope, this.#config.headDim)
    this.#rotary = rotaryTable(frequencies, size, dtype, device)
    return this.#rotary
  }

  #dropRotary(): void {
    if (!this.#rotary) return
    freeTensor(this.#rotary.cos)
    freeTensor(this.#rotary.sin)
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

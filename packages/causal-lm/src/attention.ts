/**
 * @file Self-attention with grouped query heads.
 *
 * Shapes in comments: T tokens, H query heads, G key and value heads, D headDim.
 */

import { reshape, slice, takes, type Tensor } from '@ao/base-tensor'
import { Module, RMSNorm } from '@ao/nn'
import { attention, ropeAppend, type AttentionOptions } from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'
import { adopt, child, makeLinear, type MakeParameter, type Step } from './module.ts'

/** What checkpoints call the parts of an {@link Attention}. */
export interface AttentionNames {
  readonly q: string
  readonly k: string
  readonly v: string
  /** All three in one, where the config says so. */
  readonly qkv: string
  readonly o: string
  readonly qNorm: string
  readonly kNorm: string
}

const NAMES: AttentionNames = {
  ...{ q: 'q_proj', k: 'k_proj', v: 'v_proj', qkv: 'qkv_proj', o: 'o_proj' },
  ...{ qNorm: 'q_norm', kNorm: 'k_norm' },
}

/** Self-attention with grouped query heads and rotary positions. */
export class Attention extends Module {
  readonly #config: CausalLMConfig
  readonly #names: AttentionNames
  readonly #options: AttentionOptions

  /** @param names - Llama's unless given */
  constructor(config: CausalLMConfig, make: MakeParameter, names: Partial<AttentionNames> = {}) {
    takes('o<vocabSize:n hiddenSize:n>fo?', config, make, names)
    super()
    const { hiddenSize, headDim, attentionBias, attentionScale: scale } = config
    this.#config = config
    this.#names = { ...NAMES, ...names }
    this.#options = {
      ...(scale !== undefined && { scale }),
      softcap: config.attentionSoftcap,
    }
    const { q, k, v, qkv, o, qNorm, kNorm } = this.#names
    const [queries, keys] = [config.numHeads * headDim, config.numKeyValueHeads * headDim]
    const project = (rows: number, bias = config.qkvBias ?? attentionBias): Module =>
      makeLinear(make, rows, hiddenSize, bias)
    adopt(
      this,
      config.isFused
        ? { [qkv]: project(queries + 2 * keys) }
        : { [q]: project(queries), [k]: project(keys), [v]: project(keys) },
    )
    adopt(this, { [o]: makeLinear(make, hiddenSize, queries, attentionBias) })
    if (config.qkNorm) {
      const isHead = config.qkNorm === 'head'
      const norm = (size: number): RMSNorm =>
        new RMSNorm(make(size), config.rmsNormEps, { weightOffset: config.normOffset })
      adopt(this, { [qNorm]: norm(isHead ? headDim : queries) })
      adopt(this, { [kNorm]: norm(isHead ? headDim : keys) })
    }
    if (config.hasSinks) adopt(this, { sinks: make(config.numHeads) })
  }

  forward(x: Tensor, { rotary, cache, layer }: Step): Tensor {
    const start = cache.position(0)
    const { keys, values, slidingWindow } = cache.layer(layer)
    const [q, k, v] = this.#project(x)
    const rotated = ropeAppend(q, k, v, rotary.cos, rotary.sin, keys, values, start)
    const end = cache.position(x.shape[0] as number)
    const options = { ...this.#options, slidingWindow }
    const sinks = child<Tensor | undefined>(this, 'sinks')
    const out = attention(rotated, keys, values, end, options, sinks)
    return child(this, this.#names.o).forward(reshape(out, [x.shape[0] as number, -1]))
  }

  /** Queries (T, H, D), keys and values (T, G, D), before they are turned. */
  #project(x: Tensor): readonly [q: Tensor, k: Tensor, v: Tensor] {
    const { numHeads, numKeyValueHeads, headDim, isFused } = this.#config
    const { q, k, v, qkv, qNorm, kNorm } = this.#names
    const all = isFused ? child(this, qkv).forward(x) : undefined
    let first = 0
    const part = (name: string, heads: number, norm?: string): Tensor => {
      const from = first
      first += heads * headDim
      const own = all ? slice(all, 1, from, first) : child(this, name).forward(x)
      return this.#heads(own, heads, norm)
    }
    return [part(q, numHeads, qNorm), part(k, numKeyValueHeads, kNorm), part(v, numKeyValueHeads)]
  }

  #heads(x: Tensor, heads: number, norm: string | undefined): Tensor {
    const { headDim, qkNorm } = this.#config
    const shape = [x.shape[0] as number, heads, headDim]
    if (!qkNorm || norm === undefined) return reshape(x, shape)
    const module = child<RMSNorm>(this, norm)
    return qkNorm === 'head' ? module.forward(reshape(x, shape)) : reshape(module.forward(x), shape)
  }
}

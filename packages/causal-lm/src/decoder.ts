/**
 * @file The layers of a decoder. Properties have the names of Hugging Face checkpoints, so that a parameter's
 * place in the module tree is its name in the file.
 */

import {
  add,
  cast,
  DenseTensor,
  freeTensor,
  inScope,
  isTensor,
  takes,
  type Device,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { Embedding, hasForwardHooks, Module, RMSNorm } from '@ao/nn'
import { addRmsNorm, floatDType, type KVCache } from '@ao/text-generation'
import { Attention } from './attention.ts'
import type { CausalLMConfig } from './config.ts'
import type { Branch, CausalLMFamily, ModelNames, Norm } from './family.ts'
import { GatedMLP } from './gated-mlp.ts'
import { adopt, child, type BranchModule, type MakeParameter, type Step } from './module.ts'
import { append } from './ops/append.ts'
import { rescale } from './ops/rescale.ts'
import { RotaryTables } from './rotary-tables.ts'

/** What goes from branch to branch: the residual stream, and what the next norm makes of it. */
interface Hidden {
  /** (T, hiddenSize) */
  readonly sum: Tensor
  /** (T, hiddenSize); `sum` itself before a branch without a norm. */
  readonly normed: Tensor
}

/** Llama's branches: attention and a gated MLP, each behind a norm. */
function llamaBranches(config: CausalLMConfig, make: MakeParameter): Branch[] {
  return [
    { name: 'self_attn', module: new Attention(config, make), before: 'input_layernorm' },
    { name: 'mlp', module: new GatedMLP(config, make), before: 'post_attention_layernorm' },
  ]
}

/** The norm of a family, of new parameters. */
export function makeNorm(
  family: CausalLMFamily,
  config: CausalLMConfig,
  make: MakeParameter,
): Norm {
  if (family.norm) return family.norm(config, make)
  const options = { weightOffset: config.normOffset }
  return new RMSNorm(make(config.hiddenSize), config.rmsNormEps, options)
}

/** The residual stream with the output of one more branch in it. */
function addBranch({ sum }: Hidden, branch: Tensor, next: Norm | undefined): Hidden {
  if (next instanceof RMSNorm && !hasForwardHooks(next)) {
    const [total, normed] = addRmsNorm(sum, branch, next.weight, next.eps, next)
    return { sum: total, normed }
  }
  const total = add(sum, branch)
  return { sum: total, normed: next ? next.forward(total) : total }
}

/** The branches of a layer, one after the other, each added to its input. */
export class DecoderLayer extends Module {
  readonly #branches: readonly Omit<Branch, 'module'>[]
  readonly #residualScale: number | undefined

  constructor(config: CausalLMConfig, family: CausalLMFamily, layer: number, make: MakeParameter) {
    takes('o<vocabSize:n hiddenSize:n>o<parse:f>nf', config, family, layer, make)
    super()
    const branches = family.branches?.(config, layer, make) ?? llamaBranches(config, make)
    this.#residualScale = config.residualScale
    this.#branches = branches.map(({ name, before, after }) => ({
      name,
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
    }))
    for (const { name, module } of branches) adopt(this, { [name]: module })
    for (const norm of branches.flatMap(({ before, after }) => [before, after])) {
      if (norm !== undefined) adopt(this, { [norm]: makeNorm(family, config, make) })
    }
  }

  /** The norm that the layer's input goes through first, where there is one. */
  get firstNorm(): Norm | undefined {
    return this.#norm(this.#branches[0]?.before)
  }

  /** @param next - the norm of what comes after this layer */
  forward(hidden: Hidden, next: Norm | undefined, step: Step): Hidden {
    takes('o<sum:t normed:t>o<forward:f>?o<rotary cache layer:n>', hidden, next, step)
    return this.#branches.reduce((input, { name, after }, i) => {
      const out = child<BranchModule>(this, name).forward(input.normed, step)
      const normed = this.#norm(after)?.forward(out) ?? out
      const factor = this.#residualScale
      const branch = factor === undefined ? normed : rescale(normed, { factor })
      const following = this.#branches[i + 1]
      return addBranch(input, branch, following ? this.#norm(following.before) : next)
    }, hidden)
  }

  #norm(name: string | undefined): Norm | undefined {
    return name === undefined ? undefined : child<Norm>(this, name)
  }
}

/** Tokens to hidden states: a decoder without its output head. */
export class Decoder extends Module {
  readonly #config: CausalLMConfig
  readonly #names: ModelNames
  readonly #embed: CausalLMFamily['embed']
  readonly #rotary: RotaryTables

  constructor(
    config: CausalLMConfig,
    family: CausalLMFamily,
    names: ModelNames,
    make: MakeParameter,
  ) {
    takes('o<vocabSize:n hiddenSize:n>o<parse:f>of', config, family, names, make)
    super()
    this.#config = config
    this.#names = names
    this.#embed = family.embed
    this.#rotary = new RotaryTables(config)
    adopt(this, {
      [names.embedding]: new Embedding(make(config.vocabSize, config.hiddenSize)),
      ...family.extras?.(config, make),
      [names.layers]: Array.from(
        { length: config.numLayers },
        (_, layer) => new DecoderLayer(config, family, layer, make),
      ),
      [names.norm]: makeNorm(family, config, make),
    })
  }

  /** The dtype that activations have. */
  get dtype(): FloatDType {
    return floatDType(this.#norm.weight, 'a norm')
  }

  get device(): Device {
    return this.embedding.weight.device
  }

  get embedding(): Embedding {
    return child(this, this.#names.embedding)
  }

  get #norm(): Norm & { readonly weight: Tensor } {
    return child(this, this.#names.norm)
  }

  /**
   * Makes room in `cache` for `tokens` more, and rotations for their positions: what outlives a step. Where
   * rotations depend on the text's length, the text so far is read again when they change.
   *
   * @throws {@link ValueError} beyond `max_position_embeddings`
   */
  prepare(tokens: number, cache: KVCache): void {
    takes('no<position:f reserve:f>', tokens, cache)
    cache.reserve(tokens)
    const length = cache.length + tokens
    const regime = this.#rotary.regime(length)
    this.#rotary.ofLayers(length, this.dtype, this.device)
    if (regime !== cache.regime && cache.length > 0 && cache.ids) this.#readAgain(cache, length)
    cache.regime = regime
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
    const length = cache.length + count
    const out = inScope(this.device, () => {
      const tokens = isTensor(ids) ? ids : this.#upload(ids)
      if (cache.ids) append(tokens, cache.ids, cache.position(0))
      return this.#run(tokens, cache, length)
    })
    cache.advance(count)
    return out
  }

  /** Fills the cache anew with what is in it, as part of a text of `length` tokens. */
  #readAgain(cache: KVCache, length: number): void {
    const count = cache.length
    const ids = cache.restart()
    inScope(this.device, () => this.#run(ids, cache, length))
    freeTensor(ids)
    cache.advance(count)
  }

  #run(ids: Tensor, cache: KVCache, length: number): Tensor {
    const tables = this.#rotary.ofLayers(length, this.dtype, this.device)
    const layers = child<readonly DecoderLayer[]>(this, this.#names.layers)
    const sum = this.#start(ids, cache)
    const first = layers[0]
    if (!first) return this.#norm.forward(sum)
    let hidden: Hidden = { sum, normed: first.firstNorm?.forward(sum) ?? sum }
    layers.forEach((block, layer) => {
      const following = layers[layer + 1]
      const next = following ? following.firstNorm : this.#norm
      const step = { rotary: tables[layer] as Step['rotary'], cache, layer }
      // What a layer makes in between is free before the next one begins.
      hidden = inScope(this.device, () => block.forward(hidden, next, step))
    })
    return hidden.normed
  }

  #start(ids: Tensor, cache: KVCache): Tensor {
    const found = this.embedding.forward(ids)
    // A quantized embedding keeps the dtype that it was made from.
    const embedded = found.dtype === this.dtype ? found : cast(found, this.dtype)
    const { embeddingScale: factor, roundsEmbeddingScale: roundsFactor = false } = this.#config
    const scaled = factor === undefined ? embedded : rescale(embedded, { factor, roundsFactor })
    return this.#embed?.(scaled, this, cache) ?? scaled
  }

  #upload(ids: readonly number[]): Tensor {
    return new DenseTensor(this.device.upload('int32', Int32Array.from(ids)), [ids.length])
  }
}

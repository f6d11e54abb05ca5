/** @file CausalLM: a decoder with its output head. */

import {
  inScope,
  isTensor,
  linear,
  meta,
  takes,
  zeros,
  type Device,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { Linear, Module } from '@ao/nn'
import type { CheckpointFolder } from '@ao/safetensors'
import {
  checkIds,
  generate,
  KVCache,
  loadParameters,
  type GenerateOptions,
  type LoadOptions,
} from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'
import { Decoder } from './decoder.ts'
import type { CausalLMFamily, ModelNames } from './family.ts'
import { adopt, child, makeLinear, type MakeParameter } from './module.ts'
import { rescale } from './ops/rescale.ts'

/** How a {@link CausalLM} without trained weights is made. */
export interface CausalLMOptions {
  /** float32 unless given. */
  readonly dtype?: FloatDType
  /** `meta` unless given. */
  readonly device?: Device
}

const NAMES: ModelNames = {
  ...{ model: 'model', embedding: 'embed_tokens', layers: 'layers', norm: 'norm' },
}

/** A decoder of one of the families that predicts the next token. */
export class CausalLM extends Module {
  /** Absent when `tie_word_embeddings`: the embedding's tensor is the head then, and no Linear. */
  declare lm_head: Linear | undefined
  readonly #config: CausalLMConfig
  readonly #family: CausalLMFamily
  readonly #names: ModelNames

  /**
   * A model without trained weights. By default its parameters are on the `meta` device: they have
   * shapes only, which is what planning a quantized file needs.
   */
  constructor(config: CausalLMConfig, family: CausalLMFamily, options: CausalLMOptions = {}) {
    takes(
      'o<vocabSize:n hiddenSize:n intermediateSize:n>o<parse:f>o{dtype device}?',
      config,
      family,
      options,
    )
    super()
    const { dtype = 'float32', device = meta } = options
    const make: MakeParameter = (...shape) => zeros(shape, dtype, device)
    const { vocabSize, hiddenSize, tieWordEmbeddings } = config
    this.#config = config
    this.#family = family
    this.#names = { ...NAMES, ...family.names }
    adopt(this, {
      [this.#names.model]: new Decoder(config, family, this.#names, make),
      lm_head: tieWordEmbeddings ? undefined : makeLinear(make, vocabSize, hiddenSize, false),
    })
  }

  /**
   * Fills the parameters from the checkpoint in `folder`, tensor by tensor.
   *
   * @throws {@link FormatError} naming the tensor that is wrong, missing, of a format that was not passed, or
   * of no use to the model; the signal's reason when it is aborted
   */
  async load(folder: CheckpointFolder, options: LoadOptions = {}): Promise<void> {
    takes('o<open:f readText:f>o?', folder, options)
    const { model, embedding } = this.#names
    const { sources, unused } = this.#family
    await loadParameters(this, folder, options, {
      prefix: `${model}.`,
      tied: this.lm_head ? {} : { [`${model}.${embedding}.weight`]: 'lm_head.weight' },
      ...(sources && { sources: (parameter: string) => sources(parameter, this.#config) }),
      unused,
    })
  }

  /** Whether the output head has no weight but the embedding's. */
  get hasTiedHead(): boolean {
    return this.lm_head === undefined
  }

  /** Gives the output head a layer of its own, so that its weight and the embedding's can differ. */
  untieHead(): void {
    this.lm_head ??= new Linear(this.#decoder.embedding.weight)
  }

  get config(): CausalLMConfig {
    return this.#config
  }

  /** The dtype that activations have. */
  get dtype(): FloatDType {
    return this.#decoder.dtype
  }

  get device(): Device {
    return this.#decoder.device
  }

  get #decoder(): Decoder {
    return child(this, this.#names.model)
  }

  /** An empty cache for this model. */
  createCache(capacity?: number): KVCache {
    takes('n?', capacity)
    const { dtype, device } = this
    return new KVCache(this.config, {
      dtype,
      device,
      ...(capacity === undefined ? {} : { capacity }),
    })
  }

  /**
   * Logits of the token after each of `ids`.
   *
   * @param ids - T tokens, or an int32 tensor of them on the model's device, which is not checked; they
   * follow those in `cache`, which takes them in
   * @param logitsToKeep - of how many of the last tokens to compute logits: all unless given
   * @returns (logitsToKeep, vocabSize)
   * @throws {@link ValueError} for no ids, ids outside of the vocabulary, a text in their place, or more
   * tokens than `max_position_embeddings`
   */
  forward(
    ids: readonly number[] | Tensor,
    cache?: KVCache,
    logitsToKeep: number = Infinity,
  ): Tensor {
    takes('.o<position:f reserve:f>?n?', ids, cache, logitsToKeep)
    if (!isTensor(ids)) checkIds(ids, this.config.vocabSize)
    const count = isTensor(ids) ? ids.numel : ids.length
    const context = cache ?? this.createCache(count)
    try {
      this.prepare(count, context)
      return inScope(this.device, () => {
        const hidden = this.#decoder.forward(ids, context)
        return this.#head(hidden.slice(0, Math.max(count - logitsToKeep, 0)))
      })
    } finally {
      if (!cache) context.dispose()
    }
  }

  /**
   * Makes room for `tokens` more in `cache`, and whatever else the model keeps for longer texts.
   *
   * @throws {@link ValueError} beyond `max_position_embeddings`
   */
  prepare(tokens: number, cache: KVCache): void {
    takes('no<position:f reserve:f>', tokens, cache)
    this.#decoder.prepare(tokens, cache)
  }

  /**
   * Generates tokens after `ids`, greedily unless a temperature is given. Between tokens the event
   * loop runs.
   *
   * @throws {@link ValueError}, when the first token is asked for, for ids that {@link forward} refuses
   * and options out of range; the signal's reason when it is aborted
   */
  generate(
    ids: readonly number[],
    options: GenerateOptions = {},
  ): AsyncGenerator<number, void, undefined> {
    takes('.o{maxNewTokens stopIds signal temperature topK topP seed}?', ids, options)
    return generate(this, ids, options)
  }

  #head(hidden: Tensor): Tensor {
    const logits = this.lm_head?.forward(hidden) ?? linear(hidden, this.#decoder.embedding.weight)
    const { logitScale: factor, logitSoftcap: softcap } = this.#config
    if (factor === undefined && softcap === undefined) return logits
    return rescale(logits, { factor, softcap })
  }
}

/** @file LlamaForCausalLM: the model with its output head. */

import {
  inScope,
  isTensor,
  linear,
  meta,
  zeros,
  type Device,
  type FloatDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { Linear, Module } from '@ao/nn'
import type { CheckpointFolder } from '@ao/safetensors'
import {
  KVCache,
  checkIds,
  generate,
  loadParameters,
  readJson,
  readJsonIfThere,
  type GenerateOptions,
  type LoadOptions,
} from '@ao/text-generation'
import { parseLlamaConfig, parseStopIds, type LlamaConfig } from './config.ts'
import { LlamaModel, makeLinear, type MakeParameter } from './modules.ts'

/** A Llama decoder that predicts the next token. */
export class LlamaForCausalLM extends Module {
  model: LlamaModel
  /** Absent when `tie_word_embeddings`: the embedding's tensor is the head then, and no Linear. */
  lm_head: Linear | undefined
  readonly #config: LlamaConfig

  /**
   * A model without trained weights. By default its parameters are on the `meta` device: they have
   * shapes only, which is what planning a quantized file needs.
   */
  constructor(
    config: LlamaConfig,
    options: { readonly dtype?: FloatDType; readonly device?: Device } = {},
  ) {
    takes('o<vocabSize:n hiddenSize:n intermediateSize:n>o{dtype device}?', config, options)
    super()
    const { dtype = 'float32', device = meta } = options
    const make: MakeParameter = (...shape) => zeros(shape, dtype, device)
    this.#config = config
    this.model = new LlamaModel(config, make)
    this.lm_head = config.tieWordEmbeddings
      ? undefined
      : makeLinear(make, config.vocabSize, config.hiddenSize, false)
  }

  /**
   * Loads a model in Hugging Face layout: config.json and safetensors weights, in one file or in
   * shards, which are read tensor by tensor.
   *
   * Checkpoints that torchao quantized are opened as they are: pass their formats, such as
   * `formats: [Int8Tensor]`. The ids that end a text are those of generation_config.json, where it names
   * any, else those of config.json.
   *
   * @throws {@link FormatError} naming the file and the field or tensor that is wrong, missing, of a format
   * that was not passed, or of no use to the model; the signal's reason when it is aborted
   */
  static async fromPretrained(
    folder: CheckpointFolder,
    options: LoadOptions = {},
  ): Promise<LlamaForCausalLM> {
    takes(
      '.o{dtype device formats fileKinds onProgress onIgnored signal unknownFields unexpectedTensors}?',
      folder,
      options,
    )
    const model = new LlamaForCausalLM(await readConfig(folder, options))
    await loadParameters(model, folder, options, {
      prefix: 'model.',
      tied: model.lm_head ? {} : { 'model.embed_tokens.weight': 'lm_head.weight' },
    })
    return model
  }

  /** Whether the output head has no weight but the embedding's. */
  get hasTiedHead(): boolean {
    return this.lm_head === undefined
  }

  /** Gives the output head a layer of its own, so that its weight and the embedding's can differ. */
  untieHead(): void {
    this.lm_head ??= new Linear(this.model.embed_tokens.weight)
  }

  get config(): LlamaConfig {
    return this.#config
  }

  /** The dtype that activations have. */
  get dtype(): FloatDType {
    return this.model.dtype
  }

  get device(): Device {
    return this.model.device
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
        const hidden = this.model.forward(ids, context)
        const kept = hidden.slice(0, Math.max(count - logitsToKeep, 0))
        return this.lm_head?.forward(kept) ?? linear(kept, this.model.embed_tokens.weight)
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
    this.model.prepare(tokens, cache)
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
}

async function readConfig(folder: CheckpointFolder, options: LoadOptions): Promise<LlamaConfig> {
  const where = (file: string): string => `${file} of ${folder.name}`
  const [json, generation] = await Promise.all([
    readJson(folder, 'config.json', options),
    readJsonIfThere(folder, GENERATION, options),
  ])
  const config = parseLlamaConfig(json, where('config.json'), {
    ...(options.unknownFields && { unknownFields: options.unknownFields }),
    ...(options.onIgnored && { onIgnored: options.onIgnored }),
  })
  if (!generation) return config
  const eosTokenIds = parseStopIds(generation, where(GENERATION), config, options)
  return Object.freeze({ ...config, eosTokenIds })
}

const GENERATION = 'generation_config.json'

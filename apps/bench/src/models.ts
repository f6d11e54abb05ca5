/** @file Whole models: the first token, the tokens after it, and what of that time is kernels. */

import {
  inScope,
  meta,
  type FloatDType,
  type QuantizationConfig,
  type Tensor,
  freeTensor,
} from '@ao/base-tensor'
import { elapsed, profile, type WebGPUDevice } from '@ao/kernels-webgpu'
import { LlamaForCausalLM, parseLlamaConfig, type LlamaConfig } from '@ao/llama'
import { quantize_ } from '@ao/quantize'
import { warmUp } from './environment.ts'
import { configOf } from './linears.ts'
import { randomLike } from './random-tensors.ts'
import { median } from './statistics.ts'

/** A model whose weights are random, of the shape of a known one. */
export interface ModelCase {
  readonly model: string
  readonly format: string
}

export interface ModelResult extends ModelCase {
  readonly weightBytes: number
  /** What a decode step reads at least, at the bandwidth of a copy. */
  readonly floorMilliseconds: number
  readonly decodeMilliseconds: number
  readonly tokensPerSecond: number
  /** Of a decode step: what the GPU takes, with the gaps between dispatches. */
  readonly gpuMilliseconds: number
  /** Of a decode step: what is not kernels, but JavaScript, the driver, and gaps between dispatches. */
  readonly overheadShare: number
  readonly dispatches: number
  readonly firstTokenMilliseconds: Readonly<Record<number, number>>
}

export interface ModelOptions {
  readonly dtype: FloatDType
  readonly bandwidth: number
  /** Of a dispatch that does nothing. */
  readonly gapNanoseconds: number
  readonly newTokens: number
  readonly onStage: (text: string) => void
}

const LLAMA = {
  model_type: 'llama',
  max_position_embeddings: 2048,
  rope_theta: 500000,
  rms_norm_eps: 1e-5,
  vocab_size: 128256,
  eos_token_id: [],
}

const SHAPES: Readonly<Record<string, object>> = {
  'Llama-3.2-1B shape': {
    ...LLAMA,
    ...{ hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16 },
    ...{ num_attention_heads: 32, num_key_value_heads: 8, head_dim: 64 },
    tie_word_embeddings: true,
  },
  'Llama-3.1-8B shape': {
    ...LLAMA,
    ...{ hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32 },
    ...{ num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128 },
  },
  'stories-27m shape': {
    ...LLAMA,
    ...{ hidden_size: 512, intermediate_size: 1536, num_hidden_layers: 8, vocab_size: 2048 },
    ...{ num_attention_heads: 8, num_key_value_heads: 4, head_dim: 64 },
    tie_word_embeddings: true,
  },
  'tiny shape': {
    ...LLAMA,
    ...{ hidden_size: 256, intermediate_size: 512, num_hidden_layers: 2, vocab_size: 512 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 64 },
    tie_word_embeddings: true,
  },
}

const FORMATS = ['preshuffled', '8da4w', 'int8', 'int8 dynamic', 'float8', 'dense']
const PROMPTS = [32, 128, 256]

/** All models of the table; the small ones alone when `isQuick`. */
export function modelCases(isQuick: boolean): ModelCase[] {
  if (isQuick) return ['preshuffled', 'int8'].map((format) => ({ model: 'tiny shape', format }))
  const models = ['stories-27m shape', 'Llama-3.2-1B shape', 'Llama-3.1-8B shape']
  const cases = models.flatMap((model) => FORMATS.map((format) => ({ model, format })))
  return cases.filter(({ model, format }) => format !== 'dense' || model !== 'Llama-3.1-8B shape')
}

export async function measureModel(
  device: WebGPUDevice,
  { model: name, format }: ModelCase,
  options: ModelOptions,
): Promise<ModelResult> {
  const config = parseLlamaConfig(SHAPES[name], name)
  options.onStage('weights')
  const model = await randomModel(device, config, configOf(format), options.dtype)
  const weightBytes = bytesPerToken(model)
  await generateTokens(model, 8, 4) // compiles
  const firstTokenMilliseconds: Record<number, number> = {}
  for (const prompt of PROMPTS) {
    options.onStage(`prompt of ${prompt}`)
    await generateTokens(model, prompt, 1)
    await warmUp(device)
    const times: number[] = []
    for (let i = 0; i < 5; i++) times.push((await generateTokens(model, prompt, 1)).first)
    firstTokenMilliseconds[prompt] = median(times)
  }
  options.onStage('decode')
  await warmUp(device)
  const runs: number[] = []
  for (let i = 0; i < 3; i++) runs.push((await generateTokens(model, 32, options.newTokens)).each)
  const decodeMilliseconds = median(runs)
  const { gpuMilliseconds, dispatches } = await timeStep(device, model)
  const kernelMilliseconds = gpuMilliseconds - (dispatches * options.gapNanoseconds) / 1e6
  for (const [, tensor] of model.namedParameters()) {
    freeTensor(tensor)
  }
  device.trim()
  return {
    ...{ model: name, format, weightBytes, decodeMilliseconds, dispatches, firstTokenMilliseconds },
    floorMilliseconds: (weightBytes / options.bandwidth) * 1000,
    tokensPerSecond: 1000 / decodeMilliseconds,
    gpuMilliseconds,
    overheadShare: Math.max(1 - kernelMilliseconds / decodeMilliseconds, 0),
  }
}

/** Planned without data, then filled part by part: no float weight is ever made. */
async function randomModel(
  device: WebGPUDevice,
  config: LlamaConfig,
  quantization: QuantizationConfig | undefined,
  dtype: FloatDType,
): Promise<LlamaForCausalLM> {
  const model = new LlamaForCausalLM(config, { dtype, device: meta })
  if (quantization) await quantize_(model, quantization)
  let seed = 1
  for (const [name, planned] of [...model.namedParameters()]) {
    const dot = name.lastIndexOf('.')
    const module = model.getSubmodule(name.slice(0, dot))
    module.setParameter(name.slice(dot + 1), randomLike(planned, device, seed++))
  }
  return model
}

/** Bytes of the weights that one token needs: all, but of an embedding that is not the head, one row. */
function bytesPerToken(model: LlamaForCausalLM): number {
  let bytes = 0
  for (const [name, tensor] of model.namedParameters()) {
    const isTable = name.endsWith('embed_tokens.weight') && !model.config.tieWordEmbeddings
    if (!isTable) bytes += (tensor as Tensor & { readonly nbytes: number }).nbytes
  }
  return bytes
}

/** Milliseconds until the first token, and of each one after it. */
async function generateTokens(
  model: LlamaForCausalLM,
  promptLength: number,
  newTokens: number,
): Promise<{ first: number; each: number }> {
  const ids = Array.from({ length: promptLength }, (_, i) => (i * 7919) % model.config.vocabSize)
  const start = performance.now()
  let first = 0
  let count = 0
  for await (const id of model.generate(ids, { maxNewTokens: newTokens, stopIds: [] })) {
    if (count++ === 0) first = performance.now() - start
    void id
  }
  return { first, each: (performance.now() - start - first) / Math.max(count - 1, 1) }
}

/** A decode step's time on the GPU, and its dispatches. */
async function timeStep(
  device: WebGPUDevice,
  model: LlamaForCausalLM,
): Promise<{ gpuMilliseconds: number; dispatches: number }> {
  const cache = model.createCache(64)
  inScope(device, () => void model.forward([1, 2, 3], cache, 1))
  const step = (): void => void model.forward([4], cache, 1)
  const { length: dispatches } = await profile(device, step)
  await warmUp(device)
  const times: number[] = []
  for (let i = 0; i < 5; i++) times.push(await elapsed(device, step))
  cache.dispose()
  return { gpuMilliseconds: median(times) / 1e6, dispatches }
}

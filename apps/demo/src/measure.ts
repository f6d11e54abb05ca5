/** @file What a config gained and lost. */

import { isTensorSubclass } from '@ao/base-tensor'
import { LlamaForCausalLM, perplexity } from '@ao/llama'
import { computeError } from '@ao/quantize'
import { openCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { FORMATS } from './configs.ts'

export interface Measurement {
  readonly config: string
  /** Stored bytes of all weights. */
  readonly bytes: number
  readonly perplexity: number
  /** Decoding, one token at a time. */
  readonly tokensPerSecond: number
  /** The weight that quantization changed most; undefined where none is quantized. */
  readonly worst: { readonly layer: string; readonly sqnr: number } | undefined
}

const GENERATED = 64

/** Loads the model in `folder` and measures it on `ids`, against the weights of `original`. */
export async function measure(
  config: string,
  folder: string,
  original: string,
  ids: readonly number[],
): Promise<Measurement> {
  const model = await LlamaForCausalLM.fromPretrained(directory(folder), { formats: FORMATS })
  const { perplexity: value } = await perplexity(model, ids)
  return {
    config,
    bytes: await storedBytes(folder),
    perplexity: value,
    tokensPerSecond: await decodeSpeed(model, ids.slice(0, 16)),
    worst: await worstLayer(model, original),
  }
}

async function storedBytes(folder: string): Promise<number> {
  const checkpoint = await openCheckpoint(directory(folder))
  let bytes = 0
  for (const name of checkpoint.names) {
    for (const part of checkpoint.info(name).parts) bytes += part.nbytes
  }
  await checkpoint.close()
  return bytes
}

/** The faster of two runs, so that code that is compiled on the way does not count. */
async function decodeSpeed(model: LlamaForCausalLM, prompt: readonly number[]): Promise<number> {
  return Math.max(await decodeOnce(model, prompt), await decodeOnce(model, prompt))
}

async function decodeOnce(model: LlamaForCausalLM, prompt: readonly number[]): Promise<number> {
  const tokens = model.generate(prompt, { maxNewTokens: GENERATED, stopIds: [] })
  await tokens.next() // reads the prompt
  const start = performance.now()
  let count = 0
  while (!(await tokens.next()).done) count++
  return (1000 * count) / (performance.now() - start)
}

async function worstLayer(
  model: LlamaForCausalLM,
  original: string,
): Promise<Measurement['worst']> {
  const checkpoint = await openCheckpoint(directory(original))
  let worst: Measurement['worst']
  for (const [name, weight] of model.namedParameters()) {
    if (!isTensorSubclass(weight)) continue
    const before = await checkpoint.read(name, { formats: FORMATS })
    const sqnr = await computeError(before, weight.dequantize())
    if (!worst || sqnr < worst.sqnr) worst = { layer: shortName(name), sqnr }
  }
  await checkpoint.close()
  return worst
}

/** `model.layers.3.mlp.up_proj.weight` as `3.mlp.up_proj`. */
function shortName(name: string): string {
  return name.replace(/^model\.layers\./, '').replace(/\.weight$/, '')
}

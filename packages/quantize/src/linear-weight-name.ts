/**
 * @file Which tensors of a checkpoint are weights of linear layers, told by name and shape: a file has no
 * modules to ask.
 */

import { isFloatDType, type Tensor } from '@ao/base-tensor'

const EMBEDDING =
  /^(embed|embed_(tokens|positions|in)|emb|(.*_)?embeddings?|wte|wpe|shared|token_embd)$/i
const NORM = /norm|^ln(_|\d|$)/i
const OUTPUT_HEAD = /(^|\.)lm_head$|^(output|embed_out)$/

/**
 * Whether a tensor of a checkpoint is a linear layer's weight: two dimensions, floating, named
 * `*.weight`, and neither an embedding, a norm nor the output head (which Hugging Face's torchao
 * integration leaves as it is, too).
 */
export function isLinearWeightName(name: string, tensor: Tensor): boolean {
  return whyNotLinearWeight(name, tensor) === undefined
}

/** Why {@link isLinearWeightName} is false, as a clause for a report; undefined where it is true. */
export function whyNotLinearWeight(name: string, tensor: Tensor): string | undefined {
  if (!/(^|\.)weight$/.test(name)) return 'it is not named *.weight'
  if (!isFloatDType(tensor.dtype)) return `its dtype is ${tensor.dtype}`
  const module = name.slice(0, -'.weight'.length)
  const layer = module.slice(module.lastIndexOf('.') + 1)
  if (OUTPUT_HEAD.test(module)) return 'it is the output head'
  if (EMBEDDING.test(layer)) return 'it is an embedding'
  if (NORM.test(layer)) return 'it is a norm'
  if (tensor.ndim !== 2) return `its shape is [${tensor.shape.join(', ')}], not (out, in)`
  return undefined
}

/** @file How much memory a model's parameters take. */

import { takes, type Tensor } from '@ao/base-tensor'
import { Embedding } from './layers.ts'
import type { Module } from './module.ts'

/** What {@link getModelSizeInBytes} counts. */
export interface ModelSizeOptions {
  /** Leaves out the parameters of {@link Embedding} layers; false unless given. */
  readonly ignoreEmbeddings?: boolean | undefined
}

/**
 * Bytes of all parameters of `model`, of a quantized one its inner tensors. torchao's
 * `get_model_size_in_bytes`.
 *
 * A tensor that several layers share counts once. One that an ignored embedding shares with another layer
 * counts for that layer.
 */
export function getModelSizeInBytes(model: Module, options: ModelSizeOptions = {}): number {
  takes('o<namedModules:f>o{ignoreEmbeddings}', model, options)
  const { ignoreEmbeddings = false } = options
  const counted = new Set<Tensor>()
  for (const [, module] of model.namedModules()) {
    if (ignoreEmbeddings && module instanceof Embedding) continue
    for (const [, parameter] of module.ownParameters()) counted.add(parameter)
  }
  return [...counted].reduce((sum, { nbytes }) => sum + nbytes, 0)
}

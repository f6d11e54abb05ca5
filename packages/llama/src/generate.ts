/** @file Text generation, token by token. */

import { nextTask, readFloat32, ValueError, type Tensor } from '@ao/base-tensor'
import { checkIds } from './check-ids.ts'
import type { LlamaConfig } from './config.ts'
import type { KVCache } from './kv-cache.ts'
import { createSampler, type SamplingOptions } from './sampler.ts'

export interface GenerateOptions extends SamplingOptions {
  /** As many as the model's `max_position_embeddings` leaves room for, unless given. */
  readonly maxNewTokens?: number
  /** Tokens that end the text; the config's `eos_token_id` unless given. The one met is still given out. */
  readonly stopIds?: readonly number[]
  readonly signal?: AbortSignal
}

/** What generation asks of a model. */
interface CachingModel {
  readonly config: LlamaConfig
  createCache(capacity: number): KVCache
  forward(ids: readonly number[], cache: KVCache, logitsToKeep: number): Tensor
}

/** Tokens that `model` chooses after `ids`, one by one. */
export async function* generate(
  model: CachingModel,
  ids: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<number, void, undefined> {
  checkIds(ids, model.config.vocabSize)
  const { stopIds = model.config.eosTokenIds, signal } = options
  const room = model.config.maxPositions - ids.length
  const maxNewTokens = options.maxNewTokens ?? room
  checkRoom(maxNewTokens, room, ids.length)
  const choose = createSampler(options)
  const cache = model.createCache(ids.length + Math.min(maxNewTokens, 256))
  try {
    let input = ids
    for (let n = 0; n < maxNewTokens; n++) {
      signal?.throwIfAborted()
      const id = choose(await readFloat32(model.forward(input, cache, 1)))
      yield id
      if (stopIds.includes(id)) return
      input = [id]
      await nextTask()
    }
  } finally {
    cache.dispose()
  }
}

function checkRoom(maxNewTokens: number, room: number, promptLength: number): void {
  if (Number.isInteger(maxNewTokens) && maxNewTokens >= 0 && maxNewTokens <= room) return
  throw new ValueError({
    package: '@ao/llama',
    ...(room < 0
      ? {
          expected: `a prompt of at most ${promptLength + room} tokens, the model's max_position_embeddings`,
          got: String(promptLength),
        }
      : {
          expected: `maxNewTokens from 0 to ${room}, the positions that the prompt leaves free`,
          got: `${maxNewTokens} after a prompt of ${promptLength} tokens`,
        }),
  })
}

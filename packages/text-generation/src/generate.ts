/** @file Text generation, token by token. */

import {
  freeTensor,
  DenseTensor,
  nextTask,
  ValueError,
  type Device,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { checkIds } from './check-ids.ts'
import type { DecoderShape } from './decoder-shape.ts'
import { canRecord, DecodeSteps, type DecodingModel, type RecordingDevice } from './decode-steps.ts'
import type { KVCache } from './kv-cache.ts'
import { argmaxTokens } from './ops/choose.ts'
import { invalidLogits, type SamplingOptions } from './sampler.ts'
import { tokenChooser, type TokenChooser } from './token-chooser.ts'

/** How long to generate, and how to choose among tokens. */
export interface GenerateOptions extends SamplingOptions {
  /** As many as the model's `max_position_embeddings` leaves room for, unless given. */
  readonly maxNewTokens?: number
  /** Tokens that end the text; the config's `eos_token_id` unless given. The one met is still given out. */
  readonly stopIds?: readonly number[]
  /** Ends the work with its reason. */
  readonly signal?: AbortSignal
}

/** What generation asks of a model. */
export interface CachingModel extends DecodingModel {
  readonly config: DecoderShape
  readonly device: Device
  createCache(capacity: number): KVCache
}

/** A run of generation: the model, and what it remembers of the text so far. */
interface Run {
  readonly model: CachingModel
  readonly cache: KVCache
  readonly ids: readonly number[]
  readonly maxNewTokens: number
}

/**
 * Tokens that are computed ahead of the one that is given out, on devices that compute while JavaScript
 * runs: as long as the device has work it need not wait for what is read back.
 */
const LOOK_AHEAD = 2

/** Tokens that `model` chooses after `ids`, one by one. */
export async function* generate(
  model: CachingModel,
  ids: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<number, void, undefined> {
  takes('o<config:o createCache:f>.o', model, ids, options)
  checkIds(ids, model.config.vocabSize)
  const { stopIds = model.config.eosTokenIds, signal } = options
  const room = model.config.maxPositions - ids.length
  const maxNewTokens = options.maxNewTokens ?? room
  checkRoom(maxNewTokens, room, ids.length)
  const choose = tokenChooser(options)
  const cache = model.createCache(ids.length + Math.min(maxNewTokens, 256))
  const run = { model, cache, ids, maxNewTokens }
  const { device } = model
  const isGreedy = (options.temperature ?? 0) === 0
  const tokens = !canRecord(device)
    ? chosen(run, choose)
    : isGreedy
      ? likeliest(run, device)
      : chosenByReplay(run, device, choose)
  try {
    signal?.throwIfAborted()
    for await (const id of tokens) {
      yield id
      if (stopIds.includes(id)) return
      await nextTask()
      signal?.throwIfAborted()
    }
  } finally {
    cache.dispose()
  }
}

/** Each token is chosen, then the next one computed. */
async function* chosen(run: Run, choose: TokenChooser): AsyncGenerator<number> {
  let input = run.ids
  for (let n = 0; n < run.maxNewTokens; n++) {
    const id = await chooseFrom(run.model.forward(input, run.cache, 1), choose)
    yield id
    input = [id]
  }
}

async function chooseFrom(logits: Tensor, choose: TokenChooser): Promise<number> {
  try {
    return await choose(logits)
  } finally {
    freeTensor(logits)
  }
}

/** As {@link chosen}, with steps that the device replays. */
async function* chosenByReplay(
  { model, cache, ids, maxNewTokens }: Run,
  device: RecordingDevice,
  choose: TokenChooser,
): AsyncGenerator<number> {
  if (maxNewTokens === 0) return
  const steps = new DecodeSteps(device, model, cache)
  try {
    let id = await chooseFrom(model.forward(ids, cache, 1), choose)
    yield id
    for (let n = 1; n < maxNewTokens; n++) {
      const token = new DenseTensor(device.upload('int32', Int32Array.of(id)), [1])
      steps.token.copy_(token)
      freeTensor(token)
      id = await choose(steps.next())
      yield id
    }
  } finally {
    steps.dispose()
  }
}

/**
 * Each token is the likeliest, and goes from step to step on the device. Their ids are read while later
 * tokens are computed already.
 */
async function* likeliest(
  { model, cache, ids, maxNewTokens }: Run,
  device: RecordingDevice,
): AsyncGenerator<number> {
  const pending: Promise<number>[] = []
  const keepBest = (logits: Tensor, token: DenseTensor): void => {
    const best = argmaxTokens(logits)
    token.copy_(best)
    freeTensor(best)
  }
  const steps = new DecodeSteps(device, model, cache, keepBest)
  try {
    for (let started = 0, given = 0; given < maxNewTokens; given++) {
      for (; started < maxNewTokens && started <= given + LOOK_AHEAD; started++) {
        if (started === 0) {
          const logits = model.forward(ids, cache, 1)
          keepBest(logits, steps.token)
          freeTensor(logits)
        } else {
          steps.next()
        }
        const id = readId(steps.token)
        id.catch(() => undefined) // it may fail while nobody waits for it, and is told who does
        pending.push(id)
      }
      yield await (pending.shift() as Promise<number>)
    }
  } finally {
    steps.dispose()
  }
}

async function readId(token: DenseTensor): Promise<number> {
  const [id] = (await token.data()) as Int32Array
  if (id === undefined || id < 0) throw invalidLogits('NaN for a token')
  return id
}

function checkRoom(maxNewTokens: number, room: number, promptLength: number): void {
  if (Number.isInteger(maxNewTokens) && maxNewTokens >= 0 && maxNewTokens <= room) return
  throw new ValueError({
    package: '@ao/text-generation',
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

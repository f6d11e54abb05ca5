/** @file Step after step of decoding: one token in, its logits out. */

import {
  freeTensor,
  zeros,
  type DenseTensor,
  type Device,
  type Recording,
  type Tensor,
} from '@ao/base-tensor'
import { hasForwardHooks, type Module } from '@ao/nn'
import type { KVCache } from './kv-cache.ts'
import { watchModule } from './watch-module.ts'

/** What decoding asks of a model. */
export interface DecodingModel extends Module {
  forward(ids: readonly number[] | Tensor, cache: KVCache, logitsToKeep: number): Tensor
  /** Makes room for `tokens` more, so that a step takes no new memory. */
  prepare(tokens: number, cache: KVCache): void
}

/** A device that can do work again. */
export type RecordingDevice = Device & Required<Pick<Device, 'record'>>

/** Whether steps of a model on `device` can be recorded. */
export function canRecord(device: Device): device is RecordingDevice {
  return device.record !== undefined
}

/** A step that was recorded, and whether the model is still the one that it was recorded of. */
interface RecordedStep {
  readonly recording: Recording<Tensor>
  readonly isSameModel: () => boolean
}

/**
 * Steps of a model on a device that can record them: most are replayed, and cost no more than handing
 * commands over. A step is recorded anew where the model has other weights or modules than before, or
 * memory that it used was replaced: of the cache that grew, or of the rotations that all texts share. Steps
 * of a model with forward hooks run each time: a replay would not call them.
 */
export class DecodeSteps {
  /** The token that the next step reads: int32 (1). */
  readonly token: DenseTensor
  readonly #device: RecordingDevice
  readonly #model: DecodingModel
  readonly #cache: KVCache
  readonly #then: (logits: Tensor, token: DenseTensor) => void
  #recorded: RecordedStep | undefined
  /** Of a step that was not recorded. */
  #logits: Tensor | undefined

  /** @param then - what else a step does with the logits of `token`, on the device */
  constructor(
    device: RecordingDevice,
    model: DecodingModel,
    cache: KVCache,
    then: (logits: Tensor, token: DenseTensor) => void = () => undefined,
  ) {
    this.#device = device
    this.#model = model
    this.#cache = cache
    this.#then = then
    this.token = zeros([1], 'int32', device)
  }

  /** Reads `token`. The logits (1, vocabularySize) are there until the next step. */
  next(): Tensor {
    this.#model.prepare(1, this.#cache)
    const recording = this.#current()
    if (recording) {
      recording.replay()
      this.#cache.advance(1)
      return recording.result
    }
    this.#forget()
    return hasHooks(this.#model) ? this.#runOnce() : this.#record().result
  }

  dispose(): void {
    this.#forget()
    freeTensor(this.token)
  }

  #current(): Recording<Tensor> | undefined {
    if (!this.#recorded) return undefined
    const { recording, isSameModel } = this.#recorded
    return recording.isCurrent && isSameModel() ? recording : undefined
  }

  #runOnce(): Tensor {
    this.#logits = this.#model.forward(this.token, this.#cache, 1)
    this.#then(this.#logits, this.token)
    return this.#logits
  }

  #record(): Recording<Tensor> {
    const isSameModel = watchModule(this.#model)
    const recording = this.#device.record(() => {
      const logits = this.#model.forward(this.token, this.#cache, 1)
      this.#then(logits, this.token)
      return logits
    })
    this.#recorded = { recording, isSameModel }
    return recording
  }

  #forget(): void {
    if (this.#logits) freeTensor(this.#logits)
    this.#logits = undefined
    if (!this.#recorded) return
    const { recording } = this.#recorded
    freeTensor(recording.result)
    recording.dispose()
    this.#recorded = undefined
  }
}

function hasHooks(model: Module): boolean {
  for (const [, module] of model.namedModules()) if (hasForwardHooks(module)) return true
  return false
}

/** @file Step after step of decoding: one token in, its logits out. */

import { zeros, type DenseTensor, type Device, type Recording, type Tensor } from '@ao/base-tensor'
import { freeTensor } from './free-tensor.ts'
import type { KVCache } from './kv-cache.ts'

/** What decoding asks of a model. */
export interface DecodingModel {
  forward(ids: readonly number[] | Tensor, cache: KVCache, logitsToKeep: number): Tensor
  /** Makes room for `tokens` more; whether memory that a recorded step knows was replaced. */
  prepare(tokens: number, cache: KVCache): boolean
}

/** A device that can do work again. */
export type RecordingDevice = Device & Required<Pick<Device, 'record'>>

/** Whether steps of a model on `device` can be recorded. */
export function canRecord(device: Device): device is RecordingDevice {
  return device.record !== undefined
}

/**
 * Steps of a model on a device that can record them: all but the first are replayed, and cost no more than
 * handing commands over.
 */
export class DecodeSteps {
  /** The token that the next step reads: int32 (1). */
  readonly token: DenseTensor
  readonly #device: RecordingDevice
  readonly #model: DecodingModel
  readonly #cache: KVCache
  readonly #then: (logits: Tensor, token: DenseTensor) => void
  #recording: Recording<Tensor> | undefined

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
    const model = this.#model
    if (model.prepare(1, this.#cache)) this.#forget()
    if (this.#recording) {
      this.#recording.replay()
      this.#cache.advance(1)
      return this.#recording.result
    }
    const step = (): Tensor => {
      const logits = model.forward(this.token, this.#cache, 1)
      this.#then(logits, this.token)
      return logits
    }
    this.#recording = this.#device.record(step)
    return this.#recording.result
  }

  dispose(): void {
    this.#forget()
    freeTensor(this.token)
  }

  #forget(): void {
    if (!this.#recording) return
    freeTensor(this.#recording.result)
    this.#recording.dispose()
    this.#recording = undefined
  }
}

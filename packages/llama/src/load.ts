/** @file Fills a model's parameters from a checkpoint, tensor by tensor. */

import {
  cast,
  FormatError,
  isFloatDType,
  isTensorSubclass,
  nextTask,
  type Device,
  type FloatDType,
  type Tensor,
  type TensorSubclassType,
} from '@ao/base-tensor'
import type { Module } from '@ao/nn'
import { openCheckpoint, type Checkpoint, type CheckpointFolder } from '@ao/safetensors'
import { freeTensor } from './free-tensor.ts'

/** Which parameter was loaded, and how much of the model is. */
export interface LoadProgress {
  readonly name: string
  /** Parameters that are loaded, out of `total`. */
  readonly done: number
  readonly total: number
  /** Their bytes in the checkpoint, out of `totalBytes`. */
  readonly bytes: number
  readonly totalBytes: number
}

/** Options of {@link LlamaForCausalLM.fromPretrained}. */
export interface LoadOptions {
  /** Dtype to compute in, that dense weights are cast to: float32 unless given. */
  readonly dtype?: FloatDType
  /**
   * Where the model goes: the CPU unless given. Each tensor goes there as soon as it is read, and its
   * host copy is let go of.
   */
  readonly device?: Device
  /** Formats of quantized tensors that the checkpoint may hold. */
  readonly formats?: readonly TensorSubclassType[]
  /** Told of each parameter once it is loaded, on its device. */
  readonly onProgress?: (progress: LoadProgress) => void
  /** Told of tensors that the model has no use for, such as tables of older versions. */
  readonly onUnused?: (names: readonly string[]) => void
  readonly signal?: AbortSignal
}

/**
 * Replaces all parameters of `model` by those of the checkpoint in `folder`. Names and shapes are
 * checked first; then one tensor at a time is read, cast and moved to the device, with a turn for the
 * event loop after each.
 *
 * @throws {@link FormatError} naming the tensor that is missing, does not fit, or is of a format that
 * was not passed. What was moved to the device is freed after an error
 */
export async function loadParameters(
  model: Module,
  folder: CheckpointFolder,
  options: LoadOptions,
): Promise<void> {
  const { formats = [], onUnused } = options
  const checkpoint = await openCheckpoint(folder)
  try {
    const parameters = model.stateDict()
    await checkParameters(parameters, checkpoint, folder.name, formats)
    const unused = checkpoint.names.filter((name) => !parameters.has(name))
    if (unused.length > 0) onUnused?.(unused)
    await readParameters(model, checkpoint, new Set(parameters.keys()), options)
  } finally {
    await checkpoint.close()
  }
}

async function readParameters(
  model: Module,
  checkpoint: Checkpoint,
  parameters: ReadonlySet<string>,
  options: LoadOptions,
): Promise<void> {
  const { dtype = 'float32', device, formats = [], onProgress, signal } = options
  const names = checkpoint.names.filter((name) => parameters.has(name))
  const bytesOf = (name: string): number =>
    checkpoint.info(name).parts.reduce((sum, { nbytes }) => sum + nbytes, 0)
  const total = names.length
  const totalBytes = names.reduce((sum, name) => sum + bytesOf(name), 0)
  const moved: Tensor[] = []
  let done = 0
  let bytes = 0
  try {
    signal?.throwIfAborted()
    for await (const [name, stored] of checkpoint.entries({ names, formats })) {
      const tensor = isTensorSubclass(stored) ? stored : cast(stored, dtype)
      const placed = device ? await tensor.to(device) : tensor
      if (placed !== tensor) moved.push(placed)
      setParameter(model, name, placed)
      bytes += bytesOf(name)
      onProgress?.({ name, done: ++done, total, bytes, totalBytes })
      await nextTask()
      signal?.throwIfAborted()
    }
  } catch (error) {
    moved.forEach(freeTensor)
    throw error
  }
}

function setParameter(model: Module, name: string, tensor: Tensor): void {
  const dot = name.lastIndexOf('.')
  model.getSubmodule(name.slice(0, dot)).setParameter(name.slice(dot + 1), tensor)
}

/** Compares what the checkpoint's headers say with the parameters of a model. */
async function checkParameters(
  parameters: ReadonlyMap<string, Tensor>,
  checkpoint: Checkpoint,
  folderName: string,
  formats: readonly TensorSubclassType[],
): Promise<void> {
  const missing = [...parameters.keys()].filter((name) => !checkpoint.has(name))
  if (missing.length > 0) {
    const others = missing.length > 1 ? `, nor ${missing.length - 1} others` : ''
    refuse(`${missing[0]} among the tensors of ${folderName}`, `no such tensor${others}`)
  }
  for (const [name, { shape }] of parameters) {
    const stored = await checkpoint.plan(name, { formats })
    const where = `${name} in ${checkpoint.info(name).parts[0]?.fileName} of ${folderName}`
    if (stored.shape.join() !== shape.join()) {
      refuse(`${where} to have shape [${shape.join(', ')}]`, `[${stored.shape.join(', ')}]`)
    }
    if (!isFloatDType(stored.dtype)) {
      refuse(`${where} to be of float32, float16 or bfloat16`, stored.dtype)
    }
  }
}

function refuse(expected: string, got: string): never {
  const cure = 'The weights and config.json must be of one model.'
  throw new FormatError({ package: '@ao/llama', expected, got, cure })
}

/** @file Fills a model's parameters from a checkpoint, tensor by tensor. */

import {
  cast,
  FormatError,
  isFloatDType,
  isTensorSubclass,
  type Device,
  type FloatDType,
  type Tensor,
  type TensorSubclassType,
} from '@ao/base-tensor'
import type { Module } from '@ao/nn'
import { openCheckpoint, type Checkpoint, type CheckpointFolder } from '@ao/safetensors'

/** Which parameter was loaded, and how many of all are. */
export interface LoadProgress {
  readonly name: string
  readonly done: number
  readonly total: number
}

export interface LoadOptions {
  /** Dtype to compute in, that dense weights are cast to: float32 unless given. */
  readonly dtype?: FloatDType
  /** Where the model goes: the CPU unless given. */
  readonly device?: Device
  /** Formats of quantized tensors that the checkpoint may hold. */
  readonly formats?: readonly TensorSubclassType[]
  /** Told of each parameter once it is loaded. */
  readonly onProgress?: (progress: LoadProgress) => void
  /** Told of tensors that the model has no use for, such as tables of older versions. */
  readonly onUnused?: (names: readonly string[]) => void
  readonly signal?: AbortSignal
}

/**
 * Replaces all parameters of `model` by those of the checkpoint in `folder`. Names and shapes are
 * checked first; then one tensor at a time is read, cast and moved to the device.
 *
 * @throws {@link FormatError} naming the tensor that is missing, does not fit, or is of a format that
 * was not passed
 */
export async function loadParameters(
  model: Module,
  folder: CheckpointFolder,
  options: LoadOptions,
): Promise<void> {
  const { dtype = 'float32', device, formats = [], onProgress, onUnused, signal } = options
  const checkpoint = await openCheckpoint(folder)
  try {
    const parameters = model.stateDict()
    await checkParameters(parameters, checkpoint, folder.name, formats)
    const unused = checkpoint.names.filter((name) => !parameters.has(name))
    if (unused.length > 0) onUnused?.(unused)
    let done = 0
    for (const name of parameters.keys()) {
      signal?.throwIfAborted()
      const stored = await checkpoint.read(name, { formats })
      const tensor = isTensorSubclass(stored) ? stored : cast(stored, dtype)
      setParameter(model, name, device ? await tensor.to(device) : tensor)
      onProgress?.({ name, done: ++done, total: parameters.size })
    }
  } finally {
    await checkpoint.close()
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

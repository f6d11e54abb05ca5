/** @file Fills a model's parameters from a checkpoint, tensor by tensor. */

import {
  AoError,
  freeTensor,
  cast,
  FormatError,
  isFloatDType,
  isTensorSubclass,
  nextTask,
  UnsupportedOpError,
  type Device,
  type FloatDType,
  type Tensor,
  type TensorSubclassType,
  takes,
} from '@ao/base-tensor'
import type { Module } from '@ao/nn'
import {
  openCheckpoint,
  type Checkpoint,
  type CheckpointFolder,
  type FileKind,
} from '@ao/safetensors'
import type { ConfigOptions, Ignored } from './field-rules.ts'
import { matchTensors, type TensorNames, type UnexpectedTensorsOptions } from './match-tensors.ts'
import { assemble, type TensorSource } from './tensor-source.ts'

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
export interface LoadOptions extends ConfigOptions, UnexpectedTensorsOptions {
  /** Dtype to compute in, that dense weights are cast to: float32 unless given. */
  readonly dtype?: FloatDType
  /**
   * Where the model goes: the CPU unless given. Each tensor goes there as soon as it is read, and its
   * host copy is let go of.
   */
  readonly device?: Device
  /** Formats of quantized tensors that the checkpoint may hold. */
  readonly formats?: readonly TensorSubclassType[]
  /** Kinds of files that the checkpoint may be of, besides safetensors, such as `torchFiles`. */
  readonly fileKinds?: readonly FileKind[]
  /** Told of each parameter once it is loaded, on its device. */
  readonly onProgress?: (progress: LoadProgress) => void
  /** Told, once for each file, of fields and tensors that are left out of use. */
  readonly onIgnored?: (ignored: Ignored) => void
  /** Ends the work with its reason. */
  readonly signal?: AbortSignal
}

/**
 * Replaces all parameters of `model` by those of the checkpoint in `folder`. Names and shapes are
 * checked first; then one tensor at a time is read, cast and moved to the device, with a turn for the
 * event loop after each.
 *
 * @param names - other names that the checkpoint may have for them
 * @throws {@link FormatError} naming the tensor that is missing, does not fit, is of a format that was
 * not passed, or that no parameter takes. What was moved to the device is freed after an error
 */
export async function loadParameters(
  model: Module,
  folder: CheckpointFolder,
  options: LoadOptions,
  names: TensorNames = {},
): Promise<void> {
  takes('o<stateDict:f>o<open:f readText:f>oo', model, folder, options, names)
  const { formats = [], fileKinds, signal } = options
  const checkpoint = await openCheckpoint(folder, { signal, fileKinds })
  try {
    const parameters = model.stateDict()
    const sources = await matchTensors([...parameters.keys()], checkpoint, folder, names, options)
    await checkParameters(parameters, checkpoint, sources, folder.name, formats)
    await readParameters(model, checkpoint, sources, options)
  } finally {
    await checkpoint.close()
  }
}

async function readParameters(
  model: Module,
  checkpoint: Checkpoint,
  sources: ReadonlyMap<string, TensorSource>,
  options: LoadOptions,
): Promise<void> {
  const { dtype = 'float32', device, formats = [], onProgress, signal } = options
  const parameterOf = new Map(
    [...sources].flatMap(([name, { keys }]) => keys.flat().map((key) => [key, name] as const)),
  )
  const names = checkpoint.names.filter((key) => parameterOf.has(key))
  const bytesOf = (key: string): number =>
    checkpoint.info(key).parts.reduce((sum, { nbytes }) => sum + nbytes, 0)
  const total = sources.size
  const totalBytes = names.reduce((sum, key) => sum + bytesOf(key), 0)
  const moved: Tensor[] = []
  /** Tensors of parameters that are made of several. */
  const parts = new Map<string, Tensor>()
  let done = 0
  let bytes = 0
  try {
    signal?.throwIfAborted()
    for await (const [key, stored] of checkpoint.entries({ names, formats, signal })) {
      const name = parameterOf.get(key) as string
      const source = sources.get(name) as TensorSource
      bytes += bytesOf(key)
      parts.set(key, isTensorSubclass(stored) ? stored : cast(stored, dtype))
      const keys = source.keys.flat()
      if (!keys.every((one) => parts.has(one))) continue
      const tensor = assemble(source, (one) => parts.get(one) as Tensor)
      for (const one of keys) parts.delete(one)
      const placed = device ? await tensor.to(device) : tensor
      if (placed !== tensor) moved.push(placed)
      setParameter(model, name, placed)
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
  sources: ReadonlyMap<string, TensorSource>,
  folderName: string,
  formats: readonly TensorSubclassType[],
): Promise<void> {
  for (const [name, { shape }] of parameters) {
    const source = sources.get(name) as TensorSource
    const planned = new Map<string, Tensor>()
    for (const key of source.keys.flat()) {
      const stored = await checkpoint.plan(key, { formats })
      planned.set(key, stored)
      if (isFloatDType(stored.dtype)) continue
      refuse(`${whereOf(key)} to be of float32, float16 or bfloat16`, stored.dtype)
    }
    const [first = '', ...others] = planned.keys()
    const made = assembled(name, source, planned, whereOf(first))
    if (made.shape.join() === shape.join()) continue
    const what = others.length > 0 ? `${name}, made of ${others.length + 1} tensors such as ` : ''
    refuse(
      `${what}${whereOf(first)} to have shape [${shape.join(', ')}]`,
      `[${made.shape.join(', ')}]`,
    )
  }
  function whereOf(key: string): string {
    return `${key} in ${checkpoint.info(key).parts[0]?.fileName} of ${folderName}`
  }
}

/** @throws {@link FormatError} for tensors that do not fit together */
function assembled(
  name: string,
  source: TensorSource,
  planned: ReadonlyMap<string, Tensor>,
  where: string,
): Tensor {
  try {
    return assemble(source, (key) => planned.get(key) as Tensor)
  } catch (error) {
    if (!AoError.isInstance(error)) throw error
    const shapes = new Set([...planned.values()].map(({ shape }) => `[${shape.join(', ')}]`))
    const expected = `${planned.size} tensors such as ${where} to fit together as ${name}`
    const cure =
      error instanceof UnsupportedOpError ? 'Quantize them to another format.' : undefined
    return refuse(expected, `${[...shapes].join(', ')}: ${error.message}`, cure)
  }
}

const ONE_MODEL = 'The weights and config.json must be of one model.'

function refuse(expected: string, got: string, cure: string = ONE_MODEL): never {
  throw new FormatError({ package: '@ao/text-generation', expected, got, cure })
}

/** @file A model in memory, quantized after loading where a config is given. */

import { AoError, type Device, type FloatDType, type Tensor, freeTensor } from '@ao/base-tensor'
import { allFamilies, AutoModelForCausalLM, type CausalLM } from '@ao/causal-lm'
import {
  MODEL_FAMILIES,
  quantizeStateDict,
  tensorRoles,
  type ConfigOrTorchAo,
  type QuantizeReport,
  type TensorRoles,
} from '@ao/quantize'
import type { CheckpointFolder } from '@ao/safetensors'
import { loadTokenizer, type Tokenizer } from '@ao/text-generation'
import type { Command } from 'commander'
import { checkConfigKeys } from './config-keys.ts'
import { usageError } from './errors.ts'
import { fileKinds, FORMATS } from './formats.ts'
import type { CommandContext } from './io.ts'
import type { SourceArguments } from './model-source.ts'
import { createProgress } from './progress.ts'
import { parseConfig } from './quantize/side-files.ts'
import { ascending, sqnr } from './sqnr.ts'

/** Options of a command that loads a model. */
export interface LoadArguments {
  readonly dtype?: FloatDType
  readonly ignoreUnexpected?: boolean
}

/** Adds `--ignore-unexpected`. */
export function addLoadOptions(command: Command): Command {
  return command.option(
    '--ignore-unexpected',
    'run the model without what its files hold and ao does not know: fields, tensors, tokens',
  )
}

/** The tokenizer of `folder`. */
export async function loadModelTokenizer(
  folder: CheckpointFolder,
  { ignoreUnexpected = false }: LoadArguments,
): Promise<Tokenizer> {
  return loadTokenizer(folder, ignoreUnexpected ? { tokensWithoutEmbedding: 'ignore' } : {})
}

/**
 * Loads the model of `folder` to `device`, with progress and notes on stderr.
 *
 * @param told - notes that are there already; new ones are added
 */
export async function loadModel(
  folder: CheckpointFolder,
  args: LoadArguments & SourceArguments,
  device: Device,
  context: CommandContext,
  told: Set<string> = new Set<string>(),
): Promise<CausalLM> {
  const { dtype, ignoreUnexpected = false } = args
  const notes: string[] = []
  const progress = createProgress('load', context.stderr)
  try {
    return await AutoModelForCausalLM.fromPretrained(folder, {
      families: allFamilies,
      device,
      formats: FORMATS,
      fileKinds: fileKinds(args),
      signal: context.signal,
      onProgress: ({ bytes, totalBytes, name }) => progress.update(bytes, totalBytes, name),
      onIgnored: ({ message }) => notes.push(message),
      ...(dtype === undefined ? {} : { dtype }),
      ...(ignoreUnexpected ? { unexpectedTensors: 'ignore', unknownFields: 'ignore' } : {}),
    })
  } finally {
    progress.stop()
    for (const note of notes) if (!told.has(note)) context.stderr.write(`note: ${note}\n`)
    for (const note of notes) told.add(note)
  }
}

/**
 * What the tensors of the model in `folder` are, as `ao quantize` tells them; but what files hold as (in, out)
 * is (out, in) in memory.
 */
export async function modelRoles(folder: CheckpointFolder): Promise<TensorRoles> {
  const text = await folder.readText('config.json')
  const config = text === undefined ? null : parseConfig(text, folder.name)
  const inFiles = tensorRoles(config, MODEL_FAMILIES)
  return (name, tensor) => {
    const decision = inFiles(name, tensor)
    const { role } = decision
    if (role === 'transposed linear') return { ...decision, role: 'linear', reason: undefined }
    if (role === 'transposed experts') return { ...decision, role: 'experts', reason: undefined }
    return decision
  }
}

/** How far a quantized weight is from its float weight. */
export interface WeightError {
  readonly name: string
  /** Signal to quantization noise ratio, in dB. */
  readonly sqnr: number
}

/**
 * Quantizes a model's weights in place, on the device that they are on, choosing them as `ao quantize`
 * does for files.
 *
 * @param onQuantized - told of each weight, as it was and as it is
 * @throws {@link UsageError} for keys of an FqnToConfig that are not in the model, and where nothing is
 * quantized
 */
export async function quantizeModel(
  model: CausalLM,
  config: ConfigOrTorchAo,
  roles: TensorRoles,
  context: CommandContext,
  onQuantized?: (name: string, before: Tensor, after: Tensor) => Promise<void>,
): Promise<void> {
  const progress = createProgress('quantize', context.stderr)
  try {
    if ('config' in config && config.untieEmbeddingWeights) model.untieHead()
    const before = model.stateDict()
    const { stateDict, report } = await quantizeStateDict(before, config, {
      roles,
      allowUnusedKeys: true, // checkConfigKeys speaks of the command line
      onProgress: ({ done, total, name }) => {
        context.signal.throwIfAborted()
        progress.update(done, total, name)
      },
    })
    for (const note of checkConfigKeys(config, [...before.keys()], report.unusedKeys)) {
      context.stderr.write(`note: ${note}\n`)
    }
    checkSome(report)
    model.loadStateDict(stateDict)
    const kept = new Set(stateDict.values())
    for (const { name } of report.quantized) {
      const weight = before.get(name) as Tensor
      await onQuantized?.(name, weight, stateDict.get(name) as Tensor)
      if (!kept.has(weight)) freeTensor(weight)
    }
  } catch (error) {
    throw asUnfit(error)
  } finally {
    progress.stop()
  }
}

/** {@link quantizeModel} that gives what each weight lost, worst first. */
export async function quantizeAndMeasure(
  model: CausalLM,
  config: ConfigOrTorchAo,
  roles: TensorRoles,
  context: CommandContext,
): Promise<WeightError[]> {
  const errors: WeightError[] = []
  await quantizeModel(model, config, roles, context, async (name, before, after) => {
    errors.push({ name, sqnr: await sqnr(before, after) })
  })
  return errors.sort((a, b) => ascending(a.sqnr, b.sqnr))
}

/** Gives the memory of a model that is not used any more back to its device. */
export function freeModel(model: CausalLM): void {
  for (const [, parameter] of model.namedParameters()) freeTensor(parameter)
}

function checkSome({ quantized, skipped }: QuantizeReport): void {
  if (quantized.length > 0) return
  const reasons = [...new Set(skipped.map(({ reason }) => reason))].join('; ')
  throw usageError('a weight to quantize', `none: ${reasons}`, 'Choose another --config.')
}

/** A config that refuses a weight is one that does not fit the model, and no fault of the weight. */
function asUnfit(error: unknown): unknown {
  if (!AoError.isInstance(error) || !AoError.isInstance(error.cause)) return error
  const cure = 'Choose another config, or give this weight null in an FqnToConfig file.'
  return usageError(error.expected, error.got ?? 'an error', cure)
}

/** Bytes of all parameters, shared ones once. */
export function modelBytes(model: CausalLM): number {
  let bytes = 0
  for (const [, parameter] of model.namedParameters()) bytes += parameter.nbytes
  return bytes
}

/** @file A Llama model in memory, quantized after loading where a config is given. */

import { AoError, type FloatDType, type QuantizationConfig, type Tensor } from '@ao/base-tensor'
import { LlamaForCausalLM } from '@ao/llama'
import { quantizeStateDict } from '@ao/quantize'
import type { CheckpointFolder } from '@ao/safetensors'
import { usageError } from './errors.ts'
import { FORMATS } from './formats.ts'
import type { CommandContext } from './io.ts'
import { createProgress } from './progress.ts'
import { ascending, sqnr } from './sqnr.ts'

/** Loads the model of `folder`, with progress on stderr. */
export async function loadModel(
  folder: CheckpointFolder,
  dtype: FloatDType | undefined,
  context: CommandContext,
): Promise<LlamaForCausalLM> {
  const progress = createProgress('load', context.stderr)
  try {
    return await LlamaForCausalLM.fromPretrained(folder, {
      formats: FORMATS,
      signal: context.signal,
      onProgress: ({ bytes, totalBytes, name }) => progress.update(bytes, totalBytes, name),
      ...(dtype === undefined ? {} : { dtype }),
    })
  } finally {
    progress.stop()
  }
}

/** How far a quantized weight is from its float weight. */
export interface WeightError {
  readonly name: string
  /** Signal to quantization noise ratio, in dB. */
  readonly sqnr: number
}

/**
 * Quantizes a model's weights in place, choosing them by name as `ao quantize` does for files.
 *
 * @returns what each weight lost, worst first
 */
export async function quantizeModel(
  model: LlamaForCausalLM,
  config: QuantizationConfig,
  context: CommandContext,
): Promise<WeightError[]> {
  const progress = createProgress('quantize', context.stderr)
  try {
    const before = model.stateDict()
    const { stateDict, report } = await quantizeStateDict(before, config, {
      onProgress: ({ done, total, name }) => {
        context.signal.throwIfAborted()
        progress.update(done, total, name)
      },
    })
    model.loadStateDict(stateDict)
    const errors: WeightError[] = []
    for (const { name } of report.quantized) {
      const error = await sqnr(before.get(name) as Tensor, stateDict.get(name) as Tensor)
      errors.push({ name, sqnr: error })
    }
    return errors.sort((a, b) => ascending(a.sqnr, b.sqnr))
  } catch (error) {
    throw asUnfit(error)
  } finally {
    progress.stop()
  }
}

/** A config that refuses a weight is one that does not fit the model, and no fault of the weight. */
function asUnfit(error: unknown): unknown {
  if (!AoError.isInstance(error) || !AoError.isInstance(error.cause)) return error
  const cure = 'Choose another config, or give this weight null in an FqnToConfig file.'
  return usageError(error.expected, error.got ?? 'an error', cure)
}

/** Bytes of all parameters, shared ones once. */
export function modelBytes(model: LlamaForCausalLM): number {
  let bytes = 0
  for (const [, parameter] of model.namedParameters()) bytes += parameter.nbytes
  return bytes
}

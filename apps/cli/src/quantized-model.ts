/** @file Models that are quantized already: by ao, by torchao, or by something else. */

import { isJsonObject, type Json } from '@ao/base-tensor'
import { findQuantization, type FoundQuantization } from '@ao/quantize'
import { parsePythonJson, FileError, type Checkpoint, type CheckpointFolder } from '@ao/safetensors'
import { usageError } from './errors.ts'
import type { ModelSource } from './model-source.ts'
import { parseConfig } from './quantize/side-files.ts'

/** Files in which other libraries keep what `quantization_config` says elsewhere. */
const OTHER_CONFIGS = ['quantize_config.json', 'quant_config.json', 'hf_quant_config.json']

/** What quantized a model, in the order of evidence; empty for a float model. */
export async function quantizationsOf(
  checkpoint: Checkpoint,
  folder: CheckpointFolder | undefined,
): Promise<FoundQuantization[]> {
  const text = await folder?.readText('config.json')
  const config: Json = text === undefined ? null : parseConfig(text, folder?.name ?? '')
  const plain: Parameters<typeof findQuantization>[1][number][] = []
  const ours: FoundQuantization[] = []
  for (const name of checkpoint.names) {
    const { format, parts } = checkpoint.info(name)
    const [part] = parts
    if (format === 'Tensor' && part) plain.push({ name, dtype: part.dtype, shape: part.shape })
    else if (format !== 'Tensor' && ours.length === 0) {
      ours.push({ method: 'torchao', evidence: `${name} of class ${format}` })
    }
  }
  const others: FoundQuantization[] = []
  for (const fileName of folder ? OTHER_CONFIGS : []) {
    if (await holdsObject(folder as CheckpointFolder, fileName)) {
      others.push({ method: 'an unnamed method', evidence: fileName })
    }
  }
  return [...findQuantization(config, plain), ...others, ...ours]
}

/** Whether only torchao's layout is used, so that the tensors can be read as what they stand for. */
export function isTorchao(found: readonly FoundQuantization[]): boolean {
  return found.every(({ method }) => method === 'torchao')
}

/** What was found, in words: each method once. */
export function describeQuantizations(found: readonly FoundQuantization[]): string {
  const first = new Map<string, string>()
  for (const { method, evidence } of found) {
    if (!first.has(method)) first.set(method, evidence)
  }
  return [...first].map(([method, evidence]) => `${method} (${evidence})`).join(', ')
}

/** @throws {@link FileError} for a model that is quantized, whatever did it */
export function checkNotQuantized(found: readonly FoundQuantization[], name: string): void {
  if (found.length === 0) return
  throw new FileError({
    package: '@ao/cli',
    expected: 'a model that is not quantized yet',
    got: `one that is quantized by ${describeQuantizations(found)} in ${name}`,
    cure: 'Quantize the model that it was made of.',
  })
}

/**
 * For commands that run a model.
 *
 * @param configs - what `--config` asks for; empty where it was not given
 * @throws {@link FileError} for a model that something else than torchao quantized, and
 * {@link UsageError} for `--config` with one that is quantized
 */
export async function checkRunnable(
  source: ModelSource,
  configs: readonly string[],
): Promise<void> {
  const checkpoint = await source.open()
  let found: FoundQuantization[]
  try {
    found = await quantizationsOf(checkpoint, source.folder)
  } finally {
    await checkpoint.close()
  }
  if (!isTorchao(found)) {
    throw new FileError({
      package: '@ao/cli',
      expected: `a model of floats, or one that torchao quantized, in ${source.name}`,
      got: `one that is quantized by ${describeQuantizations(found)}`,
      cure: 'Pass the float model that it was made of, with --config to quantize it.',
    })
  }
  if (found.length === 0 || configs.length === 0) return
  throw usageError(
    `a model that is not quantized yet, for --config ${configs.join(', ')}`,
    `${source.name}, which is quantized by ${describeQuantizations(found)}`,
    'Leave --config out, or pass the model that it was made of.',
  )
}

async function holdsObject(folder: CheckpointFolder, fileName: string): Promise<boolean> {
  const text = await folder.readText(fileName)
  if (text === undefined) return false
  try {
    return isJsonObject(parsePythonJson(text, fileName))
  } catch {
    return false
  }
}

/** @file The small files beside the weights: config.json, which learns of the config, and copies. */

import { isJsonObject, type FloatDType, type Json, type QuantizationConfig } from '@ao/base-tensor'
import { toQuantizationConfig } from '@ao/quantize'
import { FileError, type CheckpointDestination, type CheckpointFolder } from '@ao/safetensors'

const CONFIG_FILE = 'config.json'

const COPIED_FILES = [
  ...['generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'tokenizer.model'],
  ...['special_tokens_map.json', 'added_tokens.json', 'vocab.json', 'merges.txt'],
  ...['chat_template.jinja', 'chat_template.json'],
]

export interface ConfigFileOptions {
  readonly config: QuantizationConfig
  /** Modules left alone by the caller's wish; undefined leaves it to the transformers library. */
  readonly keptModules: readonly string[] | undefined
  /** What weights were cast to; undefined where they were not. */
  readonly dtype: FloatDType | undefined
}

/**
 * The text of a model's config.json.
 *
 * @throws {@link FileError} for a model that is quantized already
 */
export async function readModelConfig(folder: CheckpointFolder): Promise<string | undefined> {
  const text = await folder.readText(CONFIG_FILE)
  if (text === undefined) return undefined
  const quantization = parseObject(text, folder.name)['quantization_config']
  if (quantization === undefined || quantization === null) return text
  throw new FileError({
    package: '@ao/cli',
    expected: 'a model that is not quantized yet',
    got: `quantization_config in ${CONFIG_FILE} of ${folder.name}`,
    cure: 'Quantize the model that it was made of.',
  })
}

/**
 * config.json of the quantized model. The text is added to and not written anew, since JavaScript
 * would write 0.0 as 0, and readers in Python tell the two apart.
 */
export function quantizedModelConfig(text: string, options: ConfigFileOptions): string {
  const { config, keptModules, dtype } = options
  const json = toQuantizationConfig(config, { modulesToNotConvert: keptModules })
  const added = `"quantization_config": ${JSON.stringify(json, null, 2)}`.replaceAll('\n', '\n  ')
  const typed =
    dtype === undefined ? text : text.replace(/("(?:torch_)?dtype"\s*:\s*)"\w+"/g, `$1"${dtype}"`)
  const body = typed.slice(0, typed.lastIndexOf('}')).trimEnd()
  return `${body}${body.endsWith('{') ? '' : ','}\n  ${added}\n}\n`
}

/** Writes config.json and copies the other small files that are there. */
export async function writeSideFiles(
  from: CheckpointFolder,
  to: CheckpointDestination,
  modelConfig: string | undefined,
): Promise<void> {
  if (modelConfig !== undefined) {
    await write(to, CONFIG_FILE, new TextEncoder().encode(modelConfig))
  }
  for (const fileName of COPIED_FILES) {
    const source = await from.open(fileName)
    if (!source) continue
    try {
      await write(to, fileName, await source.read(0, source.size))
    } finally {
      await source.close()
    }
  }
}

async function write(
  to: CheckpointDestination,
  fileName: string,
  bytes: Uint8Array,
): Promise<void> {
  const sink = await to.create(fileName, bytes.length)
  try {
    await sink.write(0, bytes)
    await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}

function parseObject(text: string, folder: string): { readonly [key: string]: Json } {
  let json: Json = null
  let cause: unknown
  try {
    json = JSON.parse(text) as Json
  } catch (error) {
    cause = error
  }
  if (isJsonObject(json)) return json
  throw new FileError({
    package: '@ao/cli',
    expected: `${CONFIG_FILE} in ${folder} to hold a JSON object`,
    got: 'something else',
    cure: 'Download it again.',
    cause,
  })
}

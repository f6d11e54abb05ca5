/** @file The small files beside the weights: config.json, which learns of the config, and copies. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AoError, isJsonObject, type FloatDType, type Json } from '@ao/base-tensor'
import { toQuantizationConfig, type HuggingFaceQuantization } from '@ao/quantize'
import {
  FileError,
  parsePythonJson,
  type ByteSink,
  type ByteSource,
  type Checkpoint,
  type CheckpointDestination,
  type CheckpointFolder,
} from '@ao/safetensors'
import { fileErrorOf } from '@ao/safetensors/node'
import { formatBytes } from '../output.ts'
import { withoutMember } from './json-text.ts'
import { INDEX_FILE } from './run-record.ts'

const CONFIG_FILE = 'config.json'

/** Asked for where a folder cannot be listed: on a server. */
const KNOWN_FILES = [
  ...['generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'tokenizer.model'],
  ...['special_tokens_map.json', 'added_tokens.json', 'vocab.json', 'vocab.txt', 'merges.txt'],
  ...['spiece.model', 'sentencepiece.bpe.model', 'chat_template.jinja', 'chat_template.json'],
  ...['preprocessor_config.json', 'processor_config.json', 'README.md', 'LICENSE'],
]

const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|gguf|ggml|onnx|onnx_data|h5|hdf5|keras|msgpack|npz|tflite|mlmodel|pdparams|ot)(\.index\.json)?$/i
// TensorFlow splits a checkpoint into files with these ends.
const TENSORFLOW_WEIGHTS = /\.ckpt(-\d+)?\.(index|meta|data-\d+-of-\d+)$/i
/** Files of `ao` itself, complete or not. */
const OWN = /^\.ao-|^ao-quantize(-\d{5}-of-\d{5})?\.json$|\.\d+-[0-9a-f]{8}\.partial$/

/** Something beside the weights that is not copied. */
export interface NotCopied {
  readonly name: string
  readonly reason: string
}

/** What lies beside the weights of a model. */
export interface SideFiles {
  readonly copied: readonly string[]
  readonly notCopied: readonly NotCopied[]
}

export interface ConfigFileOptions {
  readonly quantization: HuggingFaceQuantization
  /** Whether the output head was cut from its embedding. */
  readonly isUntied: boolean
  /** What weights were cast to; undefined where they were not. */
  readonly dtype: FloatDType | undefined
}

/** The text of a model's config.json; undefined where there is none. */
export async function readModelConfig(folder: CheckpointFolder): Promise<string | undefined> {
  return folder.readText(CONFIG_FILE)
}

/**
 * config.json of the quantized model. The text is added to and not written anew, since JavaScript
 * would write 0.0 as 0, and readers in Python tell the two apart.
 */
export function quantizedModelConfig(text: string, options: ConfigFileOptions): string {
  const { quantization, isUntied, dtype } = options
  const json = toQuantizationConfig(quantization.config, quantization)
  const added = `"quantization_config": ${JSON.stringify(json, null, 2)}`.replaceAll('\n', '\n  ')
  // It is null in models that were dequantized.
  const whole = withoutMember(text, 'quantization_config')
  const own = isUntied ? untied(whole) : whole
  const typed =
    dtype === undefined ? own : own.replace(/("(?:torch_)?dtype"\s*:\s*)"\w+"/g, `$1"${dtype}"`)
  const body = typed.slice(0, typed.lastIndexOf('}')).trimEnd()
  return `${body}${body.endsWith('{') ? '' : ','}\n  ${added}\n}\n`
}

/** The text of a config that says that its output head is not tied, which some models' are unless told. */
function untied(text: string): string {
  const changed = text.replace(/("tie_word_embeddings"\s*:\s*)true/g, '$1false')
  return changed === text ? text.replace('{', '{\n  "tie_word_embeddings": false,') : changed
}

/**
 * Finds what to copy: every file but weights. Folders stay where they are.
 *
 * @param path - of the model's folder; undefined for one on a server
 * @param weights - names of the files that are read, and of their index
 */
export async function findSideFiles(
  path: string | undefined,
  weights: readonly string[],
): Promise<SideFiles> {
  if (path === undefined) return { copied: KNOWN_FILES, notCopied: [] }
  const copied: string[] = []
  const notCopied: NotCopied[] = []
  for (const name of (await reading(path, () => readdir(path))).sort()) {
    if (name === CONFIG_FILE || weights.includes(name) || OWN.test(name)) continue
    const reason = await reasonAgainst(path, name)
    if (reason === undefined) copied.push(name)
    else notCopied.push({ name, reason })
  }
  return { copied, notCopied }
}

/** Names of the weight files that are read, and of their index. */
export function readNames({ files, indexFile }: Checkpoint): string[] {
  return [...files.keys(), ...(indexFile === undefined ? [] : [indexFile])]
}

/** Names of the weight files that take their place, and of their index. */
export function writtenNames(checkpoint: Checkpoint): string[] {
  const names = [...checkpoint.files.keys()].map((name) => checkpoint.writtenAs(name))
  return checkpoint.sharded ? [...names, INDEX_FILE] : names
}

/** One line about what was not copied. */
export function describeNotCopied(files: readonly NotCopied[]): string {
  return `not copied: ${files.map(({ name, reason }) => `${name} (${reason})`).join(', ')}`
}

/**
 * What a full disk needs in all: an error of the library speaks of one file.
 *
 * @param bytes - of all weights that are written to `out`
 */
export function asLackOfRoom(error: unknown, bytes: number, out: string): unknown {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException
  if (!FileError.isInstance(error) || (code !== 'ENOSPC' && code !== 'EDQUOT')) return error
  return new FileError({
    package: '@ao/cli',
    expected: `room for some ${formatBytes(bytes)} in ${out}`,
    got: error.got ?? code,
    cause: error,
    ...(error.cure === undefined ? {} : { cure: error.cure }),
  })
}

/** Why a file is not copied; undefined where it is. */
async function reasonAgainst(path: string, name: string): Promise<string | undefined> {
  const found = await reading(join(path, name), () => stat(join(path, name)))
  if (found.isDirectory()) return 'a folder'
  if (!found.isFile()) return 'a device or pipe'
  if (/[\\:]/.test(name)) return 'its name is not one for all systems'
  return WEIGHTS.test(name) || TENSORFLOW_WEIGHTS.test(name) ? 'other weights' : undefined
}

async function reading<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw fileErrorOf(error, `${path} to be readable, to be copied beside the weights`)
  }
}

/** Writes config.json and copies the files of `names` that are there. */
export async function writeSideFiles(
  from: CheckpointFolder,
  to: CheckpointDestination,
  modelConfig: string | undefined,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (modelConfig !== undefined) await writeFile(to, CONFIG_FILE, modelConfig)
  for (const name of names) {
    signal.throwIfAborted()
    const source = await from.open(name)
    if (!source) continue
    try {
      await copy(source, await to.create(name, source.size), signal)
    } finally {
      await source.close()
    }
  }
}

const CHUNK_BYTES = 8 << 20

async function copy(source: ByteSource, sink: ByteSink, signal: AbortSignal): Promise<void> {
  try {
    for (let at = 0; at < source.size; at += CHUNK_BYTES) {
      signal.throwIfAborted()
      await sink.write(at, await source.read(at, Math.min(CHUNK_BYTES, source.size - at)))
    }
    await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/** Writes a small file of text. */
export async function writeFile(
  to: CheckpointDestination,
  fileName: string,
  text: string,
): Promise<void> {
  const bytes = new TextEncoder().encode(text)
  const sink = await to.create(fileName, bytes.length)
  try {
    await sink.write(0, bytes)
    await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/**
 * The fields of a model's config.json.
 *
 * @throws {@link FileError} for what is no JSON object
 */
export function parseConfig(text: string, folder: string): { readonly [key: string]: Json } {
  let json: Json = null
  let cause: unknown
  try {
    json = parsePythonJson(text, CONFIG_FILE)
  } catch (error) {
    cause = error
  }
  if (isJsonObject(json)) return json
  throw new FileError({
    package: '@ao/cli',
    expected: `${CONFIG_FILE} in ${folder} to hold a JSON object`,
    got: AoError.isInstance(cause) ? (cause.got ?? 'no JSON') : 'other JSON',
    cure: 'Download it again.',
    cause,
  })
}

/**
 * @file How a folder's files were made: `ao-quantize.json`, and, until parts are merged, a record of each.
 */

import { createHash } from 'node:crypto'
import { isJsonObject, type Json } from '@ao/base-tensor'
import { toQuantizationConfig } from '@ao/quantize'
import type { Checkpoint, CheckpointFile, CheckpointFolder } from '@ao/safetensors'
import { version } from '../version.ts'
import type { WeightOptions } from './weight-planner.ts'

export const INDEX_FILE = 'model.safetensors.index.json'
export const RECORD_FILE = 'ao-quantize.json'
export const PART_FILE: RegExp = /^ao-quantize-(\d{5})-of-(\d{5})\.json$/

/** Part `index` (from 1) of `count`. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/** What `ao-quantize.json` holds. */
export interface RunRecord {
  /** Equal for all parts of one checkpoint: version, options, input. */
  readonly run: { readonly [key: string]: Json }
  /** Every file of the folder that is ours to replace. */
  readonly files: readonly string[]
}

/** What the record of a part holds. */
export interface PartRecord {
  readonly part: Shard
  /** The shards that it made. */
  readonly shards: readonly string[]
  readonly run: RunRecord['run']
}

/** What tells one run of `ao convert` from another. */
export async function conversionOf(
  checkpoint: Checkpoint,
  modelConfig: string | undefined,
): Promise<RunRecord['run']> {
  return { ao: version(), converted: true, input: await inputOf(checkpoint, modelConfig) }
}

/** What all parts of one checkpoint have in common. */
export async function runOf(
  options: WeightOptions,
  checkpoint: Checkpoint,
  modelConfig: string | undefined,
): Promise<RunRecord['run']> {
  const { config, quantization, include, exclude, lmHead, dtype = null } = options
  const input = await inputOf(checkpoint, modelConfig)
  const whole = quantization && {
    quantization_config: toQuantizationConfig(config, quantization),
  }
  return {
    ao: version(),
    config: config.toJSON(),
    ...whole,
    include,
    exclude,
    lmHead,
    dtype,
    input,
  }
}

async function inputOf(
  checkpoint: Checkpoint,
  modelConfig: string | undefined,
): Promise<{ readonly [key: string]: Json }> {
  const sizes = [...checkpoint.files].map(([name, { source }]) => [name, source.size] as const)
  return { sha256: await digestOf(checkpoint, modelConfig), ...Object.fromEntries(sizes) }
}

const SAMPLES = 8
const SAMPLE_BYTES = 512

/**
 * A digest of all headers, of config.json, and of samples of the data: two models of one architecture have
 * equal headers.
 */
async function digestOf(checkpoint: Checkpoint, modelConfig: string | undefined): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(modelConfig ?? null))
  for (const name of [...checkpoint.files.keys()].sort()) {
    const file = checkpoint.files.get(name) as CheckpointFile
    const { source, tensors, metadata } = file
    hash.update(JSON.stringify([name, source.size, [...metadata], [...tensors]]))
    const samples = await Promise.all(placesIn(file).map((at) => source.read(at, SAMPLE_BYTES)))
    for (const sample of samples) hash.update(sample)
  }
  return hash.digest('hex')
}

/** Where to take samples: evenly, over the file's data. */
function placesIn({ source, tensors }: CheckpointFile): number[] {
  const offsets = [...tensors.values()].map(({ offset }) => offset)
  const start = offsets.reduce((least, offset) => Math.min(least, offset), source.size)
  const room = source.size - SAMPLE_BYTES - start
  if (room < 0) return []
  return Array.from({ length: SAMPLES }, (_, i) => start + Math.floor((room * i) / (SAMPLES - 1)))
}

/** The name of a part's record. */
export function partFileOf({ index, count }: Shard): string {
  return `ao-quantize-${pad(index)}-of-${pad(count)}.json`
}

function pad(value: number): string {
  return String(value).padStart(5, '0')
}

/** The text of {@link RECORD_FILE}. */
export function formatRecord({ run, files }: RunRecord): string {
  return `${JSON.stringify({ ...run, files: [...files].sort() }, null, 2)}\n`
}

export function formatPart(record: PartRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`
}

/** The record of a folder; `run` is empty where the file is damaged, undefined where there is none. */
export async function readRecord(folder: CheckpointFolder): Promise<RunRecord | undefined> {
  const text = await folder.readText(RECORD_FILE)
  if (text === undefined) return undefined
  const { files, ...run } = parse(text)
  return { run, files: namesIn(files) }
}

/** The record of a part. */
export async function readPart(
  folder: CheckpointFolder,
  name: string,
): Promise<PartRecord | undefined> {
  const text = await folder.readText(name)
  const { part = null, shards, run = null } = parse(text ?? '')
  if (!isJsonObject(part) || !isJsonObject(run)) return undefined
  const { index, count } = part
  if (typeof index !== 'number' || typeof count !== 'number') return undefined
  return { part: { index, count }, shards: namesIn(shards), run }
}

/** Whether two runs have all in common that parts must have. */
export function isSameRun(a: RunRecord['run'], b: RunRecord['run']): boolean {
  return differenceOf(a, b) === undefined
}

/** In what two runs differ, in words. */
export function differenceOf(a: RunRecord['run'], b: RunRecord['run']): string | undefined {
  const differs = (key: string): boolean => JSON.stringify(a[key]) !== JSON.stringify(b[key])
  if (differs('ao')) return 'versions of ao'
  if (differs('input')) return 'inputs'
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].some(differs) ? 'options' : undefined
}

function namesIn(value: Json | undefined): string[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : []
  return names.filter((name) => typeof name === 'string' && /^[^/\\\0]+$/.test(name)) as string[]
}

function parse(text: string): { readonly [key: string]: Json } {
  try {
    const json = JSON.parse(text) as Json
    return isJsonObject(json) ? json : {}
  } catch {
    return {}
  }
}

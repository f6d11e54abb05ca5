/** @file Which tensor of a checkpoint goes to which parameter of a model, and what is left over. */

import { FormatError, type TypedArray } from '@ao/base-tensor'
import type {
  Checkpoint,
  CheckpointFolder,
  SafetensorsFile,
  TensorInfo,
  TensorPart,
} from '@ao/safetensors'
import type { Ignored } from './field-rules.ts'
import { isWholeTensor, ownSource, type TensorSource } from './tensor-source.ts'

/** Other names under which checkpoints hold the parameters of a model. */
export interface TensorNames {
  /** What a checkpoint of the model without its head leaves out, such as `model.`. */
  readonly prefix?: string
  /** The other name of a tied parameter, by its name in the model. */
  readonly tied?: Readonly<Record<string, string>>
  /** Other places of a parameter; the first is taken of which the checkpoint has all tensors. */
  readonly sources?: (parameter: string) => readonly TensorSource[]
  /** Names of tensors of other parts of the checkpoint, such as a vision tower, which are not used. */
  readonly unused?: RegExp | undefined
}

/** What is done about tensors that fit no parameter. */
export interface UnexpectedTensorsOptions {
  /**
   * What to do about tensors that no parameter of the model takes, or that the index of the checkpoint
   * leaves out: `'refuse'` unless given. `'ignore'` loads the model all the same. Tables that older
   * versions of transformers saved, such as `rotary_emb.inv_freq`, are never refused.
   */
  readonly unexpectedTensors?: 'refuse' | 'ignore'
  /** Told once of fields, and once of tensors, that are left out of use. */
  readonly onIgnored?: (ignored: Ignored) => void
}

/** Tables that a model computes by itself: buffers of transformers, now or earlier. */
const BUFFER =
  /(^|\.)((original_)?inv_freq|(cos|sin)_cached|position_ids|masked_bias|attn\.bias|attention\.bias|causal_mask)$/

/**
 * Where in the checkpoint each of `parameters` is.
 *
 * @throws {@link FormatError} naming parameters without a tensor, and tensors that no parameter takes
 */
export async function matchTensors(
  parameters: readonly string[],
  checkpoint: Checkpoint,
  folder: CheckpointFolder,
  names: TensorNames,
  options: UnexpectedTensorsOptions,
): Promise<Map<string, TensorSource>> {
  const { prefix = '', tied = {}, unused } = names
  const isBare = prefix !== '' && !checkpoint.names.some((name) => name.startsWith(prefix))
  const stored = (name: string): string =>
    isBare && name.startsWith(prefix) ? name.slice(prefix.length) : name
  const sources = new Map<string, TensorSource>()
  const missing: string[] = []
  for (const name of parameters) {
    const others = (names.sources?.(name) ?? []).map((source) => ({
      ...source,
      keys: source.keys.map((joined) => joined.map(stored)),
    }))
    const other = others.find(({ keys }) => keys.flat().every((key) => isThere(checkpoint, key)))
    const keys = [name, tied[name] ?? name].map(stored).filter((key) => checkpoint.has(key))
    const own = keys.find((key) => isThere(checkpoint, key)) ?? keys[0]
    const found = other ?? (own === undefined ? undefined : ownSource(own))
    const absent = others[0]?.keys.flat().find((key) => !isThere(checkpoint, key))
    if (found) sources.set(name, found)
    else missing.push(absent ?? name)
  }
  refuseMissing(missing, folder.name)
  const copies = await tiedCopies(checkpoint, sources, tied, stored)
  const described = parameters.filter((name) => checkpoint.has(name) && !isThere(checkpoint, name))
  const taken = [...sources.values()].flatMap(({ keys }) => keys.flat())
  const used = new Set([...taken, ...copies, ...described])
  const left = checkpoint.names.filter((name) => !used.has(name))
  const unindexed = checkpoint.report
    .filter(({ kind, name }) => kind === 'unindexed' && !BUFFER.test(name))
    .map(({ name }) => name)
  const unexpected = left.filter((name) => !BUFFER.test(name) && !unused?.test(name))
  if (options.unexpectedTensors !== 'ignore') {
    if (unexpected.length > 0) refuseUnexpected(unexpected, folder.name)
    const strays = [...unindexed, ...(await unlistedShards(checkpoint, folder))]
    if (strays.length > 0) refuseUnindexed(strays, folder.name)
  }
  const idle = [...left, ...copies.filter((key) => isThere(checkpoint, key))]
  report(idle, `Tensors of ${folder.name} are not used`, options)
  report(unindexed, `Tensors that the index of ${folder.name} leaves out are used`, options)
  return sources
}

/** Whether a file has any of a tensor; of tied ones, transformers describes both and stores one. */
function isThere(checkpoint: Checkpoint, key: string): boolean {
  return checkpoint.has(key) && checkpoint.info(key).parts.length > 0
}

/** Tensors under the other name of a tied parameter that equal it, or are described and not stored. */
async function tiedCopies(
  checkpoint: Checkpoint,
  sources: ReadonlyMap<string, TensorSource>,
  tied: Readonly<Record<string, string>>,
  stored: (name: string) => string,
): Promise<string[]> {
  const copies: string[] = []
  for (const [name, other] of Object.entries(tied)) {
    const source = sources.get(name)
    const key = source && isWholeTensor(source) ? source.keys[0]?.[0] : undefined
    const copy = [name, other].map(stored).find((own) => own !== key && checkpoint.has(own))
    if (key === undefined || copy === undefined) continue
    if (!isThere(checkpoint, copy) || (await isEqual(checkpoint, key, copy))) copies.push(copy)
  }
  return copies
}

/** Whether two tensors, dense or quantized, are of one kind and of equal parts. */
async function isEqual(checkpoint: Checkpoint, one: string, other: string): Promise<boolean> {
  const [a, b] = [checkpoint.info(one), checkpoint.info(other)]
  const textOf = ({ format, attributes, parts, missing }: TensorInfo): string =>
    JSON.stringify([
      format,
      attributes,
      missing,
      parts.map(({ part, dtype, shape }) => [part, dtype, shape]),
    ])
  if (textOf(a) !== textOf(b)) return false
  const read = async ({ fileName, key }: TensorPart): Promise<TypedArray> =>
    (await (checkpoint.files.get(fileName) as SafetensorsFile).read(key)).data()
  for (const [i, part] of a.parts.entries()) {
    const [values, others] = [await read(part), await read(b.parts[i] as TensorPart)]
    if (!values.every((value: number | bigint, at: number) => Object.is(value, others[at])))
      return false
  }
  return true
}

/** Shards that the folder holds beside those of the index, by the numbers in their names. */
async function unlistedShards({ files }: Checkpoint, folder: CheckpointFolder): Promise<string[]> {
  const [, start, , total = '0', end] =
    /^(.*-)(\d{5})-of-(\d{5})(\..*)$/.exec([...files.keys()][0] ?? '') ?? []
  const found: string[] = []
  // More of them missing than this, and the parameters are missing, too.
  const MOST = 16
  const unlisted = Array.from({ length: Math.min(Number(total), 9999) }, (_, i) => {
    return `${start}${String(i + 1).padStart(5, '0')}-of-${total}${end}`
  }).filter((name) => !files.has(name))
  for (const name of unlisted.slice(0, MOST)) {
    const source = await folder.open(name)
    if (source) found.push(name)
    await source?.close()
  }
  return found
}

function report(
  names: readonly string[],
  what: string,
  { onIgnored }: UnexpectedTensorsOptions,
): void {
  if (names.length > 0) onIgnored?.({ kind: 'tensors', names, message: `${what}: ${list(names)}.` })
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} others` : shown
}

function refuseMissing([first, ...others]: readonly string[], folderName: string): void {
  if (first === undefined) return
  throw new FormatError({
    package: '@ao/text-generation',
    expected: `${first} among the tensors of ${folderName}`,
    got: `no such tensor${others.length > 0 ? `, nor ${others.length} others` : ''}`,
    cure: 'The weights and config.json must be of one model.',
  })
}

function refuseUnexpected(names: readonly string[], folderName: string): never {
  throw new FormatError({
    package: '@ao/text-generation',
    expected: `a parameter of the model for every tensor of ${folderName}`,
    got: `none for ${list(names)}`,
    cure:
      'Its config.json may be of another model, or wrong in attention_bias or tie_word_embeddings. ' +
      "`unexpectedTensors: 'ignore'` loads the model without them.",
  })
}

function refuseUnindexed(names: readonly string[], folderName: string): never {
  throw new FormatError({
    package: '@ao/text-generation',
    expected: `model.safetensors.index.json of ${folderName} to list all that its shards hold`,
    got: `none of ${list(names)}`,
    cure:
      'Index and shards may be of different checkpoints. ' +
      "`unexpectedTensors: 'ignore'` loads the tensors of the shards that it names.",
  })
}

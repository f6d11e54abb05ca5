/** @file One tensor of a checkpoint, as tables and JSON show it. */

import { FormatError, isTensorSubclass, type Json, type Tensor } from '@ao/base-tensor'
import type { Checkpoint, TensorInfo, TensorPart } from '@ao/safetensors'
import { FORMATS } from './formats.ts'

/** What metadata calls a tensor that is of no class. */
const PLAIN = 'Tensor'

export interface TensorDescription {
  readonly name: string
  /** A class such as `Int8Tensor`, or a plain tensor's dtype such as `bfloat16`. */
  readonly format: string
  /** Logical; undefined for classes that `ao` does not know. */
  readonly shape: readonly number[] | undefined
  /** Elements of the weight that share one scale. */
  readonly blockSize: readonly number[] | undefined
  readonly bytes: number
  readonly parts: readonly TensorPart[]
  readonly attributes: Readonly<Record<string, Json>>
}

/** Describes a tensor by headers and metadata alone. */
export async function describeTensor(
  checkpoint: Checkpoint,
  name: string,
): Promise<TensorDescription> {
  const info = checkpoint.info(name)
  const { parts, attributes } = info
  const isPlain = info.format === PLAIN
  return {
    name,
    format: isPlain ? (info.dtype ?? parts[0]?.dtype ?? 'missing') : info.format,
    shape: info.shape ?? (await plan(checkpoint, info))?.shape ?? storedShape(parts, attributes),
    blockSize: numbers(attributes['block_size']),
    bytes: parts.reduce((sum, part) => sum + part.nbytes, 0),
    parts,
    attributes,
  }
}

/**
 * The shape of a weight whose class `ao` does not know, by what torchao's classes have in common: an
 * attribute `shape`; else blocks times scales; else codes, of which a byte may hold several.
 */
function storedShape(
  parts: readonly TensorPart[],
  attributes: Readonly<Record<string, Json>>,
): readonly number[] | undefined {
  const given = numbers(attributes['shape'])
  if (given) return given
  const part = (end: string): readonly number[] | undefined =>
    parts.find(({ key }) => key.endsWith(end))?.shape
  const codes = part('qdata')
  const scale = part('scale')
  const block = attributes['block_size']
  const sizes = numbers(block)
  if (sizes && scale?.length === sizes.length) return sizes.map((size, d) => size * (scale[d] ?? 1))
  if (!codes) return undefined
  const stood = typeof block === 'number' && scale ? block * product(scale) : product(codes)
  const perByte = stood >= 2 * product(codes) ? 2 : 1
  return codes.map((size, d) => (d === codes.length - 1 ? size * perByte : size))
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1)
}

/** The tensor without data; undefined where `ao` cannot build it. */
async function plan(checkpoint: Checkpoint, info: TensorInfo): Promise<Tensor | undefined> {
  if (!isKnown(info.format) || info.missing.length > 0) return undefined
  const tensor = await checkpoint.plan(info.name, { formats: FORMATS })
  return isTensorSubclass(tensor) ? tensor : undefined
}

/** Whether `ao` can build tensors of this class. */
export function isKnown(format: string): boolean {
  return FORMATS.some(({ formatName }) => formatName === format)
}

/** @throws {@link FormatError} for a tensor of a class that `ao` cannot build */
export function checkKnown(checkpoint: Checkpoint, name: string): void {
  const { format, parts } = checkpoint.info(name)
  if (format === PLAIN || isKnown(format)) return
  throw new FormatError({
    package: '@ao/cli',
    expected: `${name} in ${parts[0]?.fileName ?? 'the checkpoint'} to be of a class that ao knows`,
    got: format,
    cure: `It knows ${FORMATS.map(({ formatName }) => formatName).join(', ')}; ao inspect lists others, too.`,
  })
}

function numbers(json: Json | undefined): readonly number[] | undefined {
  return Array.isArray(json) && json.every((size) => typeof size === 'number') ? json : undefined
}

/** Number of logical elements; undefined where the shape is. */
export function elementsOf({ shape }: TensorDescription): number | undefined {
  return shape?.reduce((product, size) => product * size, 1)
}

/** What shares a scale, in words: `row`, `group of 32`, `tensor`; `` for plain tensors. */
export function granularityOf({ shape, blockSize }: TensorDescription): string {
  if (!blockSize) return ''
  if (shape?.length === blockSize.length) {
    if (blockSize.every((size, d) => size === shape[d])) return 'tensor'
    const last = blockSize.at(-1)
    if (blockSize.slice(0, -1).every((size) => size === 1)) {
      return last === shape.at(-1) ? 'row' : `group of ${last}`
    }
  }
  return `block of ${blockSize.join(' x ')}`
}

/** Stored bits for each logical element. */
export function bitsPerWeight(bytes: number, elements: number | undefined): number | undefined {
  return elements === undefined || elements === 0 ? undefined : (8 * bytes) / elements
}

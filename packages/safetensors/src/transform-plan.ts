/** @file What the files of a transformed checkpoint will hold, found without reading any tensor. */

import { isSkipped, isTensorSubclass, ValueError, type Skipped, type Tensor } from '@ao/base-tensor'
import type { Checkpoint, TensorInfo, TensorPart } from './checkpoint.ts'
import { PACKAGE, quote } from './errors.ts'
import { storedDTypeOf } from './file-dtype.ts'
import { describe, flattenTensor, type FlattenedEntry } from './flatten.ts'
import { planLayout, type FileLayout, type PlannedTensor } from './layout.ts'
import { pythonJson } from './python-json.ts'
import { partKey, PLAIN_PART, PLAIN_TYPE, TENSOR_NAMES } from './torchao-metadata.ts'
import type { FormatOptions } from './unflatten.ts'
import { plannedTensor } from './write.ts'

/**
 * What becomes of one tensor: another one, or the reason why it stays.
 *
 * It must not write into the tensor that it gets. Returning that tensor means that it stays.
 */
export type TensorTransform = (
  name: string,
  tensor: Tensor,
) => Tensor | Skipped | Promise<Tensor | Skipped>

/** One tensor of the new checkpoint. */
export interface PlannedEntry {
  readonly name: string
  /** The tensor of the checkpoint that it is made of. */
  readonly source: string
  /** The file that the tensor comes from and goes to. */
  readonly fileName: string
  /** By key in the new file. */
  readonly tensors: ReadonlyMap<string, PlannedTensor>
  /** Its description in torchao's metadata. */
  readonly description: string
  /** For a tensor that stays: where the bytes of each key come from. */
  readonly copied?: ReadonlyMap<string, TensorPart>
  /** Why it stays. */
  readonly reason?: string
}

export interface TransformPlan {
  readonly entries: readonly PlannedEntry[]
  /** Of every new file, all with the same metadata: each describes the whole checkpoint. */
  readonly metadata: ReadonlyMap<string, string>
}

/** What {@link planTransform} takes beside the transform. */
export interface PlanOptions extends FormatOptions {
  /** Added to the metadata. */
  readonly metadata: ReadonlyMap<string, string>
  /** Names that tensors have besides their own, and of which. */
  readonly copies: Readonly<Record<string, string>>
}

/**
 * Runs `transform` on tensors of the `meta` device. Without one, all tensors stay.
 *
 * @throws {@link ValueError} for a copy under a name that the checkpoint has
 */
export async function planTransform(
  checkpoint: Checkpoint,
  transform: TensorTransform | undefined,
  { metadata, copies, ...options }: PlanOptions,
): Promise<TransformPlan> {
  const entries: PlannedEntry[] = []
  let quantized = false
  const taken = Object.keys(copies).find((name) => checkpoint.has(name))
  if (taken !== undefined) {
    const expected = 'copies under names that the checkpoint does not have'
    throw new ValueError({ package: PACKAGE, expected, got: quote(taken) })
  }
  const own = checkpoint.names.map((name) => [name, name] as const)
  for (const [name, source] of [...own, ...Object.entries(copies)]) {
    const info = { ...checkpoint.info(source), name }
    const part = info.parts[0]
    if (info.format === PLAIN_TYPE && part && !storedDTypeOf(part.dtype)) {
      entries.push(keep(checkpoint, info, source, `no transform takes a tensor of ${part.dtype}`))
      continue
    }
    if (!transform && info.missing.length === 0) {
      entries.push(keep(checkpoint, info, source, 'copied'))
      continue
    }
    const tensor = await checkpoint.plan(source, options)
    const result = (await transform?.(name, tensor)) ?? tensor
    const stays = isSkipped(result) || result === tensor
    quantized ||= isTensorSubclass(stays ? tensor : result)
    if (stays) {
      const reason = isSkipped(result) ? result.skipped : 'left as it is'
      entries.push(keep(checkpoint, info, source, reason))
    } else {
      const { tensors, description } = planResult(name, result)
      entries.push({ name, source, fileName: fileOf(info), tensors, description })
    }
  }
  return {
    entries,
    metadata: planMetadata(checkpoint, entries, quantized, metadata),
  }
}

/** What a transformed tensor looks like in a file. */
export function planResult(
  name: string,
  result: Tensor,
): Pick<PlannedEntry, 'tensors' | 'description'> & FlattenedEntry {
  const { parts, description } = flattenTensor(name, result)
  const planned = [...parts].map(([key, part]) => [key, plannedTensor(part)] as const)
  return { tensors: new Map(planned), parts, description }
}

/** The layout of one new file. */
export function planFile(plan: TransformPlan, fileName: string): FileLayout {
  const entries = plan.entries.filter((entry) => entry.fileName === fileName)
  return planLayout(
    entries.flatMap(({ tensors }) => [...tensors]),
    plan.metadata,
  )
}

/** A tensor as it is, under the current keys: bytes, description and unknown attributes stay. */
function keep(
  checkpoint: Checkpoint,
  info: TensorInfo,
  source: string,
  reason: string,
): PlannedEntry {
  const { name, format, parts, attributes } = info
  const stored = checkpoint.description(source)
  const copied = new Map(
    parts.map((part) => [part.part === PLAIN_PART ? name : partKey(name, part.part), part]),
  )
  const description =
    format === PLAIN_TYPE
      ? describe(PLAIN_TYPE)
      : stored?.partNames
        ? stored.text
        : describe(
            format,
            attributes,
            parts.map(({ part }) => part),
          )
  return { name, source, fileName: fileOf(info), tensors: copied, description, copied, reason }
}

/** A tensor whose parts lie in several files goes where its first part is. */
function fileOf(info: TensorInfo): string {
  return (info.parts[0] as TensorPart).fileName
}

/**
 * The checkpoint's own metadata, what the caller adds, and torchao's where there is anything that needs
 * describing. Readers take it from whichever shard they see, so each shard has all of it.
 */
function planMetadata(
  checkpoint: Checkpoint,
  entries: readonly PlannedEntry[],
  quantized: boolean,
  added: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const metadata = new Map([...checkpoint.metadata, ...added])
  const wasTorchao = checkpoint.metadata.has(TENSOR_NAMES)
  if (!quantized && !wasTorchao) return metadata
  for (const { name, description } of entries) metadata.set(name, description)
  metadata.set(TENSOR_NAMES, pythonJson(entries.map(({ name }) => name)))
  return metadata
}

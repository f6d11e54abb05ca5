/** @file What a run of `ao quantize` did, or would do. */

import { formatBytes, formatShape, formatShare, formatTable, plural } from '../output.ts'
import type { TensorPlan } from './weight-planner.ts'

export interface Summary {
  readonly quantized: number
  /** Tensors that stay, by reason, those of most bytes first. */
  readonly kept: readonly KeptTensors[]
  /** How many tensors each rule decided about, such as `family llama`. */
  readonly rules: Readonly<Record<string, number>>
  /** Of all tensors that stay. */
  readonly bytesKept: number
  /** Of the tensors, without headers. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** How many times smaller the tensors are. */
  readonly ratio: number
  /** Quantized tensors that take more bytes than before, as their format pads them. */
  readonly grown: readonly string[]
}

/** Tensors that stay for the same reason. */
export interface KeptTensors {
  readonly reason: string
  readonly count: number
  readonly bytes: number
}

/** Counts and sizes of `plans`. */
export function summarize(plans: readonly TensorPlan[]): Summary {
  const bytesBefore = plans.reduce((sum, plan) => sum + plan.bytesBefore, 0)
  const bytesAfter = plans.reduce((sum, plan) => sum + plan.bytesAfter, 0)
  const kept = new Map<string, KeptTensors>()
  const rules: Record<string, number> = {}
  for (const { rule, reason, bytesBefore: size } of plans) {
    rules[rule] = (rules[rule] ?? 0) + 1
    if (reason === undefined) continue
    const { count, bytes } = kept.get(reason) ?? { count: 0, bytes: 0 }
    kept.set(reason, { reason, count: count + 1, bytes: bytes + size })
  }
  const groups = [...kept.values()].sort((a, b) => b.bytes - a.bytes)
  return {
    quantized: plans.filter(({ reason }) => reason === undefined).length,
    ...{ kept: groups, rules, bytesKept: groups.reduce((sum, { bytes }) => sum + bytes, 0) },
    ...{ bytesBefore, bytesAfter, ratio: bytesBefore / bytesAfter },
    grown: plans.filter(isGrown).map(({ name }) => name),
  }
}

function isGrown({ reason, bytesBefore, bytesAfter }: TensorPlan): boolean {
  return reason === undefined && bytesAfter > bytesBefore
}

/** The summary in lines. */
export function summaryLines(summary: Summary): string[] {
  const { quantized, kept, rules, bytesKept, bytesBefore, bytesAfter, ratio, grown } = summary
  const share = bytesKept / bytesBefore
  const who = share > 0.5 ? 'most of the model stays as it is' : 'in all, stays as it is'
  const whole = `${formatBytes(bytesKept)} of ${formatBytes(bytesBefore)} (${formatShare(share)})`
  return [
    `${plural(quantized, 'tensor')} quantized`,
    ...kept.map(
      ({ reason, count, bytes }) =>
        `${plural(count, 'tensor')} kept, ${formatBytes(bytes)}: ${reason}`,
    ),
    ...(kept.length > 0 ? [`${who}: ${whole}`] : []),
    `decided by ${Object.entries(rules)
      .map(([rule, count]) => `${rule} (${count})`)
      .join(', ')}`,
    `${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)}, ${ratio.toFixed(2)} times smaller`,
    ...(grown.length === 0
      ? []
      : [`${plural(grown.length, 'tensor')} larger than before, by padding: ${shortList(grown)}`]),
  ]
}

/** A line for each tensor. */
export function planTable(plans: readonly TensorPlan[]): string {
  const columns = [
    ...['tensor', 'shape', 'from', 'to'].map((title) => ({ title })),
    ...['bytes', 'bytes after'].map((title) => ({ title, align: 'right' as const })),
    ...['decided by', 'kept because'].map((title) => ({ title })),
  ]
  const rows = plans.map((plan) => [
    ...[plan.name, plan.shape ? formatShape(plan.shape) : '?', plan.from, plan.to],
    ...[String(plan.bytesBefore), String(plan.bytesAfter), plan.rule, plan.reason ?? ''],
  ])
  return formatTable(columns, rows)
}

/** The first few names. */
function shortList(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  return names.slice(0, 3).join(', ') + more
}

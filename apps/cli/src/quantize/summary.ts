/** @file What a run of `ao quantize` did, or would do. */

import { formatBytes, formatShape, formatTable, plural } from '../output.ts'
import type { TensorPlan } from './weight-planner.ts'

export interface Summary {
  readonly quantized: number
  /** Tensors that stay, by reason. */
  readonly kept: readonly { readonly reason: string; readonly count: number }[]
  /** Of the tensors, without headers. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** How many times smaller the tensors are. */
  readonly ratio: number
}

/** Counts and sizes of `plans`. */
export function summarize(plans: readonly TensorPlan[]): Summary {
  const bytesBefore = plans.reduce((sum, plan) => sum + plan.bytesBefore, 0)
  const bytesAfter = plans.reduce((sum, plan) => sum + plan.bytesAfter, 0)
  const counts = new Map<string, number>()
  for (const { reason } of plans) {
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  const kept = [...counts].map(([reason, count]) => ({ reason, count }))
  return {
    quantized: plans.filter(({ reason }) => reason === undefined).length,
    kept: kept.sort((a, b) => b.count - a.count),
    ...{ bytesBefore, bytesAfter, ratio: bytesBefore / bytesAfter },
  }
}

/** The summary in lines. */
export function summaryLines(summary: Summary): string[] {
  const { quantized, kept, bytesBefore, bytesAfter, ratio } = summary
  return [
    `${plural(quantized, 'tensor')} quantized`,
    ...kept.map(({ reason, count }) => `${plural(count, 'tensor')} kept: ${reason}`),
    `${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)}, ${ratio.toFixed(2)} times smaller`,
  ]
}

/** A line for each tensor. */
export function planTable(plans: readonly TensorPlan[]): string {
  const columns = [
    ...['tensor', 'shape', 'from', 'to'].map((title) => ({ title })),
    ...['bytes', 'bytes after'].map((title) => ({ title, align: 'right' as const })),
    { title: 'kept because' },
  ]
  const rows = plans.map((plan) => [
    ...[plan.name, plan.shape ? formatShape(plan.shape) : '?', plan.from, plan.to],
    ...[String(plan.bytesBefore), String(plan.bytesAfter), plan.reason ?? ''],
  ])
  return formatTable(columns, rows)
}

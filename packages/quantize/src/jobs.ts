/** @file The work that a plan comes to: weight after weight, shared ones once. */

import {
  isSkipped,
  nextTask,
  type Device,
  type QuantizationConfig,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import { isFqnToConfig } from './fqn-to-config.ts'
import { checkFinite, quantizeWeight } from './quantize-weight.ts'
import type { OnProgress, QuantizedWeight, QuantizeReport, SkippedWeight } from './report.ts'
import type { Refusal } from './refusal.ts'
import { ConfigSelector, formatOf } from './select-config.ts'

/** Options of every function that applies a config. */
export interface ApplyOptions {
  /** Quantizes weights with NaN or infinite elements instead of refusing them. */
  readonly allowNonFinite?: boolean
  /** Quantizes nothing where no key of an {@link FqnToConfig} names anything, instead of refusing it. */
  readonly allowUnusedKeys?: boolean
  readonly onProgress?: OnProgress | undefined
}

/**
 * A parameter, and why it would be left alone by default. It does not hold the tensor, so that one that
 * was replaced can be collected while others wait.
 */
export interface Candidate {
  readonly name: string
  readonly refusal: Refusal | undefined
  read(): Tensor
  replace(quantized: Tensor): void
}

/**
 * Selects configs for all candidates first, then quantizes and replaces one after the other. The event
 * loop runs after each.
 */
export async function quantizeCandidates(
  candidates: readonly Candidate[],
  config: QuantizationConfig,
  options: ApplyOptions & { readonly filter?: unknown; readonly device?: Device | undefined },
): Promise<QuantizeReport> {
  const selector = new ConfigSelector(config, options.filter)
  const quantized: QuantizedWeight[] = []
  const skipped: SkippedWeight[] = []
  const jobs: (Candidate & { readonly config: QuantizationConfig })[] = []
  for (const candidate of candidates) {
    const selected = selector.select(candidate.name, candidate.read(), candidate.refusal)
    if ('skipped' in selected) skipped.push({ name: candidate.name, reason: selected.skipped })
    else jobs.push({ ...candidate, config: selected.config })
  }
  if (isFqnToConfig(config) && !options.allowUnusedKeys) {
    const names = candidates.map(({ name }) => name)
    config.checkUnused(selector.unusedKeys, names)
  }
  const results = new SharedResults()
  for (const [i, { name, config, read, replace }] of jobs.entries()) {
    const weight = read()
    let result = results.get(weight, config)
    if (!result) {
      if (!options.allowNonFinite) await checkFinite(weight, name)
      result = quantizeWeight(weight, name, config, options.allowNonFinite)
      if (options.device && !isSkipped(result)) result = await result.to(options.device)
      results.set(weight, config, result)
    }
    if (isSkipped(result)) skipped.push({ name, reason: result.skipped })
    else {
      replace(result)
      quantized.push(describeQuantized(name, weight, result))
    }
    await options.onProgress?.({ name, done: i + 1, total: jobs.length })
    await nextTask()
  }
  return { quantized, skipped, unusedKeys: selector.unusedKeys }
}

/** The report's line about a weight that was replaced. */
export function describeQuantized(name: string, weight: Tensor, result: Tensor): QuantizedWeight {
  return { name, before: weight.nbytes, after: result.nbytes, format: formatOf(result) }
}

// What became of each weight; two configs for one shared weight give two results.
class SharedResults {
  readonly #results = new WeakMap<Tensor, Map<QuantizationConfig, Tensor | Skipped>>()

  get(weight: Tensor, config: QuantizationConfig): Tensor | Skipped | undefined {
    return this.#results.get(weight)?.get(config)
  }

  set(weight: Tensor, config: QuantizationConfig, result: Tensor | Skipped): void {
    const byConfig = this.#results.get(weight) ?? new Map<QuantizationConfig, Tensor | Skipped>()
    this.#results.set(weight, byConfig.set(config, result))
  }
}

/** @file Perplexity: how well a model predicts a text. */

import { nextTask, readFloat32, ValueError, type Tensor } from '@ao/base-tensor'
import { checkIdList } from './check-ids.ts'

/** Any model that gives logits (T, vocabulary) for T token ids. */
export interface LogitsModel {
  forward(ids: readonly number[]): Tensor
}

export interface PerplexityOptions {
  /** Tokens predicted at a time, each from those before it in its window: 256 unless given. */
  readonly window?: number
  /** Told after each window how many of all tokens are predicted. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
  readonly signal?: AbortSignal
}

export interface PerplexityResult {
  /** `exp(meanNll)` */
  readonly perplexity: number
  /** Mean negative log-likelihood of a token, in nats. */
  readonly meanNll: number
  /** Number of predicted tokens. */
  readonly tokens: number
}

/**
 * Perplexity of `ids` in windows that start at 0, `window`, 2 `window`, ...: in each, tokens
 * `i + 1 .. i + window` are predicted from `i .. i + window - 1`, with nothing carried over from the
 * window before. Every token but the first is predicted once.
 *
 * @throws {@link ValueError} for fewer than two ids, and for ids outside of the vocabulary; the signal's reason when it is aborted
 */
export async function perplexity(
  model: LogitsModel,
  ids: readonly number[],
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  const { window = 256, onProgress, signal } = options
  checkArguments(ids, window)
  const total = ids.length - 1
  let nll = 0
  for (let start = 0; start < total; start += window) {
    signal?.throwIfAborted()
    const end = Math.min(start + window, total)
    const logits = await readFloat32(model.forward(ids.slice(start, end)))
    nll += negativeLogLikelihood(logits, ids.slice(start + 1, end + 1))
    onProgress?.({ done: end, total })
    await nextTask()
  }
  const meanNll = nll / total
  return { perplexity: Math.exp(meanNll), meanNll, tokens: total }
}

/** Sum over the rows of `logits` (T, vocabulary) of `-log softmax(row)[target]`, in double precision. */
function negativeLogLikelihood(logits: Float32Array, targets: readonly number[]): number {
  const vocabulary = logits.length / targets.length
  let sum = 0
  targets.forEach((target, row) => {
    if (!(target >= 0 && target < vocabulary)) {
      throw new ValueError({
        package: '@ao/llama',
        expected: `token ids from 0 to ${vocabulary - 1}`,
        got: String(target),
      })
    }
    const first = row * vocabulary
    sum += logSumExp(logits, first, vocabulary) - (logits[first + target] as number)
  })
  return sum
}

function logSumExp(values: Float32Array, first: number, length: number): number {
  let max = -Infinity
  for (let i = first; i < first + length; i++) max = Math.max(max, values[i] as number)
  let sum = 0
  for (let i = first; i < first + length; i++) sum += Math.exp((values[i] as number) - max)
  return max + Math.log(sum)
}

function checkArguments(ids: readonly number[], window: number): void {
  if (!Number.isInteger(window) || window < 1) {
    throw new ValueError({
      package: '@ao/llama',
      expected: 'window to be an integer from 1 on',
      got: String(window),
    })
  }
  checkIdList(ids)
  if (ids.length < 2) {
    throw new ValueError({
      package: '@ao/llama',
      expected: 'at least two token ids: one to predict, one to predict it from',
      got: String(ids.length),
    })
  }
}

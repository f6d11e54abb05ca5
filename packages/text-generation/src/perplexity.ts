/** @file Perplexity: how well a model predicts a text. */

import {
  freeTensor,
  DenseTensor,
  hostFloat32,
  inScope,
  nextTask,
  readFloat32,
  ValueError,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { checkIdList } from './check-ids.ts'
import { negativeLogLikelihood, tokenNll } from './ops/token-nll.ts'

/** Any model that gives logits (T, vocabulary) for T token ids. */
export interface LogitsModel {
  forward(ids: readonly number[]): Tensor
}

/** Options of {@link perplexity}. */
export interface PerplexityOptions {
  /** Tokens predicted at a time, each from those before it in its window: 256 unless given. */
  readonly window?: number
  /** Told after each window how many of all tokens are predicted. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
  /** Ends the work with its reason. */
  readonly signal?: AbortSignal
}

/** How well a model predicts a text. */
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
  takes('o<forward:f>.o{window onProgress signal}?', model, ids, options)
  const { window = 256, onProgress, signal } = options
  checkArguments(ids, window)
  const total = ids.length - 1
  let nll = 0
  for (let start = 0; start < total; start += window) {
    signal?.throwIfAborted()
    const end = Math.min(start + window, total)
    nll += await totalNll(model.forward(ids.slice(start, end)), ids.slice(start + 1, end + 1))
    onProgress?.({ done: end, total })
    await nextTask()
  }
  const meanNll = nll / total
  return { perplexity: Math.exp(meanNll), meanNll, tokens: total }
}

/**
 * Sum over the rows of `logits` (T, vocabulary) of `-log softmax(row)[target]`: in double precision on the
 * CPU; elsewhere on the logits' device, from which a number for each row is read. Frees `logits`.
 */
async function totalNll(logits: Tensor, targets: readonly number[]): Promise<number> {
  try {
    const vocabulary = logits.shape[1] as number
    for (const target of targets) checkTarget(target, vocabulary)
    if (!logits.device.isHost) return await totalOnDevice(logits, targets)
    const values = hostFloat32(logits)
    return targets.reduce(
      (sum, id, row) => sum + negativeLogLikelihood(values, row * vocabulary, vocabulary, id),
      0,
    )
  } finally {
    freeTensor(logits)
  }
}

async function totalOnDevice(logits: Tensor, targets: readonly number[]): Promise<number> {
  const { device } = logits
  const nll = inScope(device, () => {
    const storage = device.upload('int32', Int32Array.from(targets))
    return tokenNll(logits, new DenseTensor(storage, [targets.length]))
  })
  try {
    return (await readFloat32(nll)).reduce((sum, value) => sum + value, 0)
  } finally {
    freeTensor(nll)
  }
}

function checkTarget(target: number, vocabulary: number): void {
  if (target >= 0 && target < vocabulary) return
  throw new ValueError({
    package: '@ao/text-generation',
    expected: `token ids from 0 to ${vocabulary - 1}`,
    got: String(target),
  })
}

function checkArguments(ids: readonly number[], window: number): void {
  if (!Number.isInteger(window) || window < 1) {
    throw new ValueError({
      package: '@ao/text-generation',
      expected: 'window to be an integer from 1 on',
      got: String(window),
    })
  }
  checkIdList(ids)
  if (ids.length < 2) {
    throw new ValueError({
      package: '@ao/text-generation',
      expected: 'at least two token ids: one to predict, one to predict it from',
      got: String(ids.length),
    })
  }
}

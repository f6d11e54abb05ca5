/** @file Which experts each token goes to. */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType } from '@ao/text-generation'

/** How {@link routeTokens} chooses. */
export interface RouteOptions {
  /** Experts that a token goes to: those with the largest logits, the first of equal ones. */
  readonly perToken: number
  /** Whether their weights are made to sum to 1. */
  readonly isNormalized: boolean
}

/** What {@link routeTokens} gives. */
export interface Routes {
  /** int32 (T, perToken): the experts, best first. */
  readonly ids: Tensor
  /** (T, perToken): what each one's output is multiplied by. */
  readonly weights: Tensor
  /** (T, E): the same for every expert, 0 for those that were not chosen. */
  readonly all: Tensor
}

/**
 * The best `perToken` experts of each token, and their shares in a softmax over all logits.
 *
 * `logits` (T, E) -> {@link Routes}, with numbers in `logits`' dtype
 */
export const routeTokens: Op<[logits: Tensor, options: RouteOptions], Routes> =
  /* @__PURE__ */ defineOp({
    name: 'causal_lm.routeTokens',
    takes: 'to<perToken:n>',
    budget: { nmse: 1e-6 },
    reference: (logits: Tensor, options: RouteOptions): Routes => {
      const [tokens, count] = checkRoute(logits, options)
      const { perToken } = options
      const scores = hostFloat32(logits)
      const ids = new Int32Array(tokens * perToken)
      const weights = new Float32Array(tokens * perToken)
      const all = new Float32Array(tokens * count)
      for (let token = 0; token < tokens; token++) {
        const row = scores.subarray(token * count, (token + 1) * count)
        const best = Array.from(row.keys())
          .sort((a, b) => (row[b] as number) - (row[a] as number) || a - b)
          .slice(0, perToken)
        shares(row, best, options.isNormalized).forEach((share, i) => {
          const expert = best[i] as number
          ids[token * perToken + i] = expert
          weights[token * perToken + i] = share
          all[token * count + expert] = share
        })
      }
      return {
        ids: fromArray(ids, [tokens, perToken], 'int32'),
        weights: fromFloat32(weights, [tokens, perToken], logits.dtype),
        all: fromFloat32(all, [tokens, count], logits.dtype),
      }
    },
    meta: (logits: Tensor, options: RouteOptions): Routes => {
      const [tokens] = checkRoute(logits, options)
      const { dtype, device, shape } = logits
      return {
        ids: zeros([tokens, options.perToken], 'int32', device),
        weights: zeros([tokens, options.perToken], dtype, device),
        all: zeros(shape, dtype, device),
      }
    },
  })

/** `exp(score)` of the chosen ones, over their sum or that of all. */
function shares(row: Float32Array, best: readonly number[], isNormalized: boolean): number[] {
  const max = row[best[0] as number] as number
  const powers = best.map((expert) => Math.exp((row[expert] as number) - max))
  const counted = isNormalized ? powers : Array.from(row, (score) => Math.exp(score - max))
  const sum = counted.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}

/** @throws {@link ShapeError} unless there are so many experts */
function checkRoute(
  logits: Tensor,
  { perToken }: RouteOptions,
): readonly [tokens: number, count: number] {
  floatDType(logits, 'routeTokens')
  const [tokens = 0, count = 0] = logits.shape
  const fits = Number.isInteger(perToken) && perToken >= 1 && perToken <= count
  if (logits.ndim === 2 && fits) return [tokens, count]
  throw new ShapeError({
    package: '@ao/causal-lm',
    expected: `logits of shape [T, E], with E experts of which ${perToken} are chosen`,
    got: `[${logits.shape.join(', ')}]`,
  })
}

/** @file How a layer attends: the options of {@link attention}. */

import { isFloatDType, ShapeError, ValueError, type Tensor } from '@ao/base-tensor'

/** What layers of different models do differently. Absent fields are those of Llama. */
export interface AttentionOptions {
  /** What scores are multiplied by; `1 / sqrt(D)` unless given. */
  readonly scale?: number
  /**
   * How many tokens each one sees, itself included: transformers' `sliding_window`. Without a causal mask
   * it sees as many on either side; a model whose layers see `w` on each side gives `w + 1`.
   */
  readonly slidingWindow?: number | undefined
  /** Scores become `softcap * tanh(score / softcap)`: Gemma 2's `attn_logit_softcapping`. */
  readonly softcap?: number | undefined
  /** Whether tokens see only themselves and those before them; true unless given. Encoders give false. */
  readonly isCausal?: boolean
}

/** What an attention's arguments say, checked. */
export interface CheckedAttention {
  readonly scale: number
  /** Infinity where all may be seen. */
  readonly window: number
  readonly softcap: number | undefined
  readonly isCausal: boolean
  /** The position of the first query. */
  readonly past: number
}

/**
 * @throws {@link ShapeError} for shapes, and {@link ValueError} for options, that {@link attention} does not
 * take
 */
export function checkAttention(
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  length: number,
  options: AttentionOptions = {},
  sinks?: Tensor,
  keyMask?: Tensor,
): CheckedAttention {
  const { isCausal = true, slidingWindow: window, softcap } = options
  const [tokens = 0, heads = 0, headDim = 0] = q.shape
  const { scale = 1 / Math.sqrt(headDim) } = options
  checkShapes(q, keys, values, length, isCausal)
  if (window !== undefined && !(Number.isInteger(window) && window >= 1 && window < 2 ** 31)) {
    throw refused('slidingWindow: a whole number of tokens from 1 on', window)
  }
  if (softcap !== undefined && !isPositive(softcap)) {
    throw refused('softcap: a positive number', softcap)
  }
  if (!isPositive(scale) && headDim > 0) throw refused('scale: a positive number', scale)
  if (sinks && !(isFloatDType(sinks.dtype) && sinks.shape.join() === String(heads))) {
    throw badShape(`sinks of shape [H] = [${heads}], of a floating dtype`, sinks)
  }
  if (keyMask && !(keyMask.dtype === 'int32' && keyMask.ndim === 1 && keyMask.numel >= length)) {
    throw badShape(
      `keyMask of shape [length or more], of dtype int32, for length ${length}`,
      keyMask,
    )
  }
  const past = Math.max(length - tokens, 0)
  return { scale, window: window ?? Infinity, softcap, isCausal, past }
}

function checkShapes(
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  length: number,
  isCausal: boolean,
): void {
  const [tokens = 0, heads = 0, headDim] = q.shape
  const [capacity = 0, groups = 0, keyDim] = keys.shape
  const fits =
    q.ndim === 3 && keys.ndim === 3 && keyDim === headDim && groups > 0 && heads % groups === 0
  const filled = tokens > 0 && length >= (isCausal ? tokens : 1) && length <= capacity
  if (fits && filled && keys.shape.join() === values.shape.join()) return
  const shapes = [q, keys, values].map((tensor) => `[${tensor.shape.join(', ')}]`)
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: `q of shape [T, H, D], keys and values of shape [capacity, G, D] with G dividing H and ${
      isCausal ? 'T' : '1'
    } <= length <= capacity`,
    got: `${shapes.join(', ')} and length ${length}`,
  })
}

const isPositive = (value: number): boolean => value > 0 && value < Infinity

function refused(expected: string, got: unknown): ValueError {
  return new ValueError({
    package: '@ao/text-generation',
    expected: `attention with ${expected}`,
    got: String(got),
  })
}

function badShape(expected: string, got: Tensor): ShapeError {
  return new ShapeError({
    package: '@ao/text-generation',
    expected,
    got: `${got.dtype} of shape [${got.shape.join(', ')}]`,
  })
}

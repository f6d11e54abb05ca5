/** @file A short causal convolution over what a cache keeps of each token. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType, type Position } from '@ao/text-generation'
import { positionOf } from './position.ts'

/** What {@link shortConv} takes. */
export type ShortConvArgs = [
  history: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  end: Position,
  tokens: number,
]

/**
 * `sum(weight[c, l] * history[t - L + 1 + l, c]) + bias[c]` over l, for the last T tokens before `end`; what is
 * before the first token counts as 0. PyTorch's `Conv1d` with a group for each channel.
 *
 * `history` (capacity, ...) with C numbers a row, `weight` (C, 1, L), `bias` (C) -> (T, C), in `history`'s dtype
 */
export const shortConv: Op<ShortConvArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'causal_lm.shortConv',
  takes: 'ttt?.n',
  budget: { nmse: 1e-6 },
  reference: (...args: ShortConvArgs): Tensor => {
    const { first, channels, taps } = checkConv(...args)
    const [history, weight, bias, end, tokens] = args
    const from = Math.max(first - taps + 1, 0)
    const rows = hostFloat32(history.narrow(0, from, positionOf(end) - from))
    const factors = hostFloat32(weight)
    const shift = bias && hostFloat32(bias)
    const out = new Float32Array(tokens * channels)
    for (let t = 0; t < tokens; t++) {
      for (let c = 0; c < channels; c++) {
        let sum = shift?.[c] ?? 0
        for (let l = 0; l < taps; l++) {
          const row = first + t - taps + 1 + l - from
          if (row < 0) continue
          sum += (factors[c * taps + l] as number) * (rows[row * channels + c] as number)
        }
        out[t * channels + c] = sum
      }
    }
    return fromFloat32(out, [tokens, channels], history.dtype)
  },
  meta: (...args: ShortConvArgs): Tensor => {
    const { channels } = checkConv(...args)
    const [history, , , , tokens] = args
    return zeros([tokens, channels], history.dtype, history.device)
  },
})

/** Where a convolution begins, and its sizes. */
interface ConvSizes {
  /** The position of the first of the T tokens. */
  readonly first: number
  readonly channels: number
  readonly taps: number
}

/** @throws {@link ShapeError} for shapes that {@link shortConv} does not take */
export function checkConv(...[history, weight, bias, end, tokens]: ShortConvArgs): ConvSizes {
  floatDType(history, 'shortConv')
  const [capacity = 0, ...row] = history.shape
  const [channels = 0, one, taps = 0] = weight.shape
  const first = positionOf(end) - tokens
  const width = row.reduce((size, count) => size * count, 1)
  const fits = weight.ndim === 3 && one === 1 && taps > 0 && width === channels
  const isInside = Number.isInteger(tokens) && tokens >= 0 && first >= 0
  if (fits && isInside && first + tokens <= capacity && (bias?.numel ?? channels) === channels) {
    return { first, channels, taps }
  }
  throw new ShapeError({
    package: '@ao/causal-lm',
    expected: 'history of shape [capacity, C], weight [C, 1, L], bias [C] and T <= end <= capacity',
    got: `[${history.shape.join(', ')}], [${weight.shape.join(', ')}], ${tokens} tokens to ${first + tokens}`,
  })
}

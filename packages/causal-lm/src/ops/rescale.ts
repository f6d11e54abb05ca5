/** @file A factor and a soft cap for all elements. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  rounder,
  ValueError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType } from '@ao/text-generation'

/** What {@link rescale} does. */
export interface RescaleOptions {
  /** 1 unless given. */
  readonly factor?: number | undefined
  /** Whether `factor` is rounded to the input's dtype first; false unless given. */
  readonly roundsFactor?: boolean
  /** After that, elements become `softcap * tanh(x / softcap)`. */
  readonly softcap?: number | undefined
}

/**
 * `x * factor`, soft-capped where asked; each step rounds to the dtype of `x`, as transformers does.
 *
 * `x` (...) -> (...)
 */
export const rescale: Op<[x: Tensor, options: RescaleOptions], Tensor> = /* @__PURE__ */ defineOp({
  name: 'causal_lm.rescale',
  takes: 'to{factor roundsFactor softcap}',
  budget: { nmse: 1e-6 },
  reference: (x: Tensor, options: RescaleOptions): Tensor => {
    const { factor, softcap } = checkRescale(x, options)
    const round = rounder(floatDType(x, 'rescale'))
    const out = hostFloat32(x).map((value) => {
      const scaled = round(value * factor)
      return softcap === undefined ? scaled : round(Math.tanh(round(scaled / softcap))) * softcap
    })
    return fromFloat32(out, x.shape, x.dtype)
  },
  meta: (x: Tensor, options: RescaleOptions): Tensor => {
    checkRescale(x, options)
    return zeros(x.shape, x.dtype, x.device)
  },
})

/** @throws {@link ValueError} for numbers that are not finite, and a cap that is not positive */
export function checkRescale(
  x: Tensor,
  { factor = 1, roundsFactor = false, softcap }: RescaleOptions,
): { readonly factor: number; readonly softcap: number | undefined } {
  const dtype = floatDType(x, 'rescale')
  if (!Number.isFinite(factor) || (softcap !== undefined && !(softcap > 0 && softcap < Infinity))) {
    throw new ValueError({
      package: '@ao/causal-lm',
      expected: 'a finite factor and a positive softcap',
      got: `${factor} and ${softcap}`,
    })
  }
  return { factor: roundsFactor ? rounder(dtype)(factor) : factor, softcap }
}

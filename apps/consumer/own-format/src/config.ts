/** @file The config for ternary weights and activations in full precision. */

import { defineConfig, errorsOf, skip, skipUnlessWeight } from '@ao/base-tensor'
import type { ConfigBase, QuantizationConfig, Skipped, Tensor } from '@ao/base-tensor'
import { granularityCodec, PerRow, type Granularity } from '@ao/granularity'
import { CODES, PACKAGE } from './layout.ts'
import { TernaryTensor } from './tensor.ts'

/** Options of {@link TernaryWeightOnlyConfig}. */
export interface TernaryOptions {
  /** PerRow(), or PerGroup(n) of a multiple of 16; PerRow() unless given. */
  readonly granularity?: Granularity | undefined
}

const Base: ConfigBase<Required<TernaryOptions>, TernaryOptions> = /* @__PURE__ */ defineConfig<
  Required<TernaryOptions>,
  TernaryOptions
>({
  name: 'TernaryWeightOnlyConfig',
  version: 1,
  fail: /* @__PURE__ */ errorsOf(PACKAGE),
  options: { granularity: { codec: granularityCodec, fallback: /* @__PURE__ */ PerRow() } },
})

/** Ternary weights; activations stay as they are. */
export class TernaryWeightOnlyConfig extends Base implements QuantizationConfig {
  quantizeTensor(weight: Tensor): Tensor | Skipped {
    const skipped = skipUnlessWeight(weight)
    if (skipped) return skipped
    if (weight.ndim !== 2) return skip('it holds weights of several experts')
    const { granularity } = this
    const k = weight.shape[1] as number
    const unit = granularity?.type === 'PerGroup' ? granularity.groupSize : CODES
    if (k % unit !== 0) return skip(`its K=${k} is not a multiple of ${unit}`)
    return TernaryTensor.fromHp(weight, { granularity })
  }
}

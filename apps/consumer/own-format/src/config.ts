/** @file The config for ternary weights and activations in full precision. */

import { decodeFields, encodeFields, optionalCodec, positiveIntegerCodec } from '@ao/base-tensor'
import { skip, skipUnlessWeight } from '@ao/base-tensor'
import type { ConfigJsonContext, Json, QuantizationConfig, RecordFields } from '@ao/base-tensor'
import type { Skipped, Tensor } from '@ao/base-tensor'
import { CODES } from './layout.ts'
import { TernaryTensor } from './tensor.ts'

/** Options of {@link TernaryWeightOnlyConfig}. */
export interface TernaryOptions {
  /** Neighbours along K that share a scale, a multiple of 16; whole rows unless given. */
  readonly groupSize?: number | undefined
}

interface Fields {
  readonly groupSize: number | undefined
}

const FIELDS: RecordFields<Fields> = {
  groupSize: { codec: /* @__PURE__ */ optionalCodec(positiveIntegerCodec), fallback: undefined },
}

/** Ternary weights; activations stay as they are. */
export class TernaryWeightOnlyConfig implements QuantizationConfig {
  static readonly configName: string = 'TernaryWeightOnlyConfig'
  static readonly configVersion: number = 1

  readonly configName: string = TernaryWeightOnlyConfig.configName
  readonly groupSize: number | undefined

  constructor({ groupSize }: TernaryOptions = {}) {
    this.groupSize = groupSize
    Object.freeze(this)
  }

  quantizeTensor(weight: Tensor): Tensor | Skipped {
    const skipped = skipUnlessWeight(weight)
    if (skipped) return skipped
    if (weight.ndim !== 2) return skip('it holds weights of several experts')
    const k = weight.shape[1] as number
    const unit = this.groupSize ?? CODES
    if (k % unit !== 0) return skip(`its K=${k} is not a multiple of ${unit}`)
    return TernaryTensor.fromHp(weight, { groupSize: this.groupSize })
  }

  toJSON(): Json {
    const { configName, configVersion } = TernaryWeightOnlyConfig
    const data = encodeFields(FIELDS, this, 'config')
    return { _type: configName, _version: configVersion, _data: data }
  }

  static fromJSON(data: Json, { path }: ConfigJsonContext): TernaryWeightOnlyConfig {
    return new TernaryWeightOnlyConfig(decodeFields(FIELDS, data, path))
  }
}

/** @file The configs that the demo compares. Adding a format adds a line. */

import type { QuantizationConfig, TensorSubclassType } from '@ao/base-tensor'
import { Float8DynamicActivationFloat8WeightConfig, Float8Tensor } from '@ao/float8'
import { PerRow } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { Int8DynamicActivationInt8WeightConfig, Int8Tensor, Int8WeightOnlyConfig } from '@ao/int8'
import { Int8DynamicActivationIntxWeightConfig, IntxUnpackedToInt8Tensor } from '@ao/intx'
import { FqnToConfig, Int4WeightOnlyConfig } from '@ao/quantize'

/** Formats that the saved checkpoints hold. */
export const FORMATS: readonly TensorSubclassType[] = [
  Int8Tensor,
  Float8Tensor,
  Int4Tensor,
  IntxUnpackedToInt8Tensor,
]

interface NamedConfig {
  readonly name: string
  readonly config: QuantizationConfig
}

const int4 = new Int4WeightOnlyConfig({ groupSize: 32, packingFormat: Int4Tensor })

export const CONFIGS: readonly [NamedConfig, ...NamedConfig[]] = [
  { name: 'int8 weight-only', config: new Int8WeightOnlyConfig() },
  { name: 'int8 dynamic', config: new Int8DynamicActivationInt8WeightConfig() },
  {
    name: 'float8 dynamic',
    config: new Float8DynamicActivationFloat8WeightConfig({ granularity: PerRow() }),
  },
  { name: 'int4, groups of 32', config: int4 },
  {
    name: 'int4, int8 inputs',
    config: new Int8DynamicActivationIntxWeightConfig({ weightDtype: 'int4' }),
  },
  {
    name: 'int8 attention, int4 MLP',
    config: new FqnToConfig({
      're:.*self_attn.*': new Int8DynamicActivationInt8WeightConfig(),
      're:.*mlp.*': int4,
    }),
  },
]

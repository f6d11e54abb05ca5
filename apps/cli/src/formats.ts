/** @file Everything that `ao` knows of formats. A new format adds a line to each list. */

import type {
  QuantizationConfig,
  QuantizationConfigType,
  TensorSubclassType,
} from '@ao/base-tensor'
import type { Granularity } from '@ao/granularity'
import {
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
  Int8Tensor,
  Int8WeightOnlyConfig,
} from '@ao/int8'

/** Tensor classes that files may hold. */
export const FORMATS: readonly TensorSubclassType[] = [Int8Tensor]

/** Config classes that config JSON may name; FqnToConfig always may. */
export const CONFIGS: readonly QuantizationConfigType[] = [
  Int8WeightOnlyConfig,
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
]

/** A config that has a short name on the command line. */
export interface NamedConfig {
  readonly names: readonly string[]
  readonly summary: string
  /** @param options - `granularity` is there where `--granularity` is given */
  create(options: { readonly granularity?: Granularity }): QuantizationConfig
}

export const NAMED_CONFIGS: readonly NamedConfig[] = [
  {
    names: ['int8', 'int8-weight-only'],
    summary: 'int8 weights, activations as they are',
    create: (options) => new Int8WeightOnlyConfig(options),
  },
  {
    names: ['int8-dynamic'],
    summary: 'int8 weights, activations to int8 as they come',
    create: (options) => new Int8DynamicActivationInt8WeightConfig(options),
  },
  {
    names: ['int8-dynamic-asym'],
    summary: 'the same, activations with a zero point',
    create: (options) =>
      new Int8DynamicActivationInt8WeightConfig({ ...options, actMappingType: 'ASYMMETRIC' }),
  },
]

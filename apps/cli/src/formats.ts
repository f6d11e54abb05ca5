/** @file Everything that `ao` knows of formats and files. A new format adds a line to each list. */

import type {
  QuantizationConfig,
  QuantizationConfigType,
  TensorSubclassType,
} from '@ao/base-tensor'
import {
  Float8DynamicActivationFloat8WeightConfig,
  Float8DynamicActivationInt4WeightConfig,
  Float8StaticActivationFloat8WeightConfig,
  Float8Tensor,
  Float8WeightOnlyConfig,
  PrototypeFloat8Tensor,
} from '@ao/float8'
import { PerGroup, PerRow, type Granularity } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int4PreshuffledTensor } from '@ao/int4-preshuffled'
import { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'
import {
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
  Int8Tensor,
  Int8WeightOnlyConfig,
} from '@ao/int8'
import {
  Int4DynamicActivationInt4WeightConfig,
  Int8DynamicActivationInt4WeightConfig,
  Int8DynamicActivationIntxWeightConfig,
  IntxUnpackedToInt8Tensor,
  IntxWeightOnlyConfig,
  type IntxDType,
} from '@ao/intx'
import type {
  Int4ChooseQparamsAlgorithm,
  Int4Float8Format,
  Int4PackingFormat,
} from '@ao/quantized-linear'
import { Int4WeightOnlyConfig } from '@ao/quantize'
import type { FileKind } from '@ao/safetensors'
import { torchFilesWith, type TorchFileOptions } from '@ao/torch-files'
import {
  UIntxBitPackedTensor,
  UintxTensor,
  UIntxWeightOnlyConfig,
  UIntXWeightOnlyConfig,
} from '@ao/uintx'

/** Packing formats that `--format` may name; the first is the default. */
export const INT4_FORMATS: readonly [Int4PackingFormat, ...Int4PackingFormat[]] = [
  Int4Tensor,
  Int4PlainInt32Tensor,
  Int4TilePackedTo4dTensor,
  Int4PreshuffledTensor,
]

/** Tensor classes that files may hold. */
export const FORMATS: readonly TensorSubclassType[] = [
  Int8Tensor,
  Float8Tensor,
  PrototypeFloat8Tensor,
  IntxUnpackedToInt8Tensor,
  UIntxBitPackedTensor,
  UintxTensor,
  ...INT4_FORMATS,
]

/** Kinds of files that checkpoints may be of, besides safetensors. */
export function fileKinds(options: TorchFileOptions): readonly FileKind[] {
  return [torchFilesWith(options)]
}

/** Names of files that hold tensors and may be opened by themselves. */
export const TENSOR_FILE: RegExp = /\.(safetensors|bin|pth?)$/i

/** Config classes that config JSON may name; FqnToConfig always may. */
export const CONFIGS: readonly QuantizationConfigType[] = [
  Int8WeightOnlyConfig,
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
  Int4WeightOnlyConfig,
  Float8WeightOnlyConfig,
  Float8DynamicActivationFloat8WeightConfig,
  Float8StaticActivationFloat8WeightConfig,
  Float8DynamicActivationInt4WeightConfig,
  IntxWeightOnlyConfig,
  Int8DynamicActivationIntxWeightConfig,
  Int8DynamicActivationInt4WeightConfig,
  Int4DynamicActivationInt4WeightConfig,
  UIntxWeightOnlyConfig,
  UIntXWeightOnlyConfig,
]

/** What the command line says about a named config; what it does not say is missing. */
export interface NamedConfigOptions {
  readonly granularity?: Granularity
  readonly groupSize?: number
  readonly bits?: number
  readonly packingFormat?: Int4PackingFormat
  readonly chooseQparamsAlgorithm?: Int4ChooseQparamsAlgorithm
}

/** A config that has a short name on the command line. */
export interface NamedConfig {
  readonly names: readonly string[]
  readonly summary: string
  /** The options that mean something to it. */
  readonly takes: readonly (keyof NamedConfigOptions)[]
  create(options: NamedConfigOptions): QuantizationConfig
}

const dtypeOf = (bits: number): IntxDType => `int${bits}` as IntxDType

export const NAMED_CONFIGS: readonly NamedConfig[] = [
  {
    names: ['int8', 'int8-weight-only'],
    summary: 'int8 weights, activations as they are',
    takes: ['granularity'],
    create: ({ granularity }) => new Int8WeightOnlyConfig(granularity && { granularity }),
  },
  {
    names: ['int8-dynamic'],
    summary: 'int8 weights, activations to int8 as they come',
    takes: ['granularity'],
    create: ({ granularity }) =>
      new Int8DynamicActivationInt8WeightConfig(granularity && { granularity }),
  },
  {
    names: ['int8-dynamic-asym'],
    summary: 'the same, activations with a zero point',
    takes: ['granularity'],
    create: ({ granularity }) =>
      new Int8DynamicActivationInt8WeightConfig({
        actMappingType: 'ASYMMETRIC',
        ...(granularity && { granularity }),
      }),
  },
  {
    names: ['int4', 'int4-weight-only'],
    summary: 'int4 weights in groups of 128 or --group-size, packed by --format',
    takes: ['groupSize', 'packingFormat', 'chooseQparamsAlgorithm'],
    create: ({ packingFormat = INT4_FORMATS[0], ...options }) =>
      new Int4WeightOnlyConfig({ ...options, packingFormat }),
  },
  {
    names: ['float8', 'float8-weight-only'],
    summary: 'float8 weights, activations as they are',
    takes: ['granularity'],
    create: ({ granularity }) => new Float8WeightOnlyConfig(granularity && { granularity }),
  },
  {
    names: ['float8-dynamic'],
    summary: 'float8 weights, activations to float8 as they come, both per row',
    takes: ['granularity'],
    create: ({ granularity = PerRow() }) =>
      new Float8DynamicActivationFloat8WeightConfig({ granularity }),
  },
  {
    names: ['float8-dynamic-int4'],
    summary: 'int4 weights in groups of 128, activations to float8 as they come',
    takes: ['packingFormat'],
    create: ({ packingFormat = INT4_FORMATS[0] }) =>
      new Float8DynamicActivationInt4WeightConfig({
        packingFormat: packingFormat as Int4Float8Format, // or it is refused
      }),
  },
  {
    names: ['intx', 'intx-weight-only'],
    summary: 'weights of --bits (4) in groups of --group-size (32)',
    takes: ['groupSize', 'bits'],
    create: ({ groupSize = 32, bits = 4 }) =>
      new IntxWeightOnlyConfig({ weightDtype: dtypeOf(bits), granularity: PerGroup(groupSize) }),
  },
  {
    names: ['8da4w', 'int8-dynamic-intx'],
    summary: 'the same, activations to int8 as they come',
    takes: ['groupSize', 'bits'],
    create: ({ groupSize = 32, bits = 4 }) =>
      new Int8DynamicActivationIntxWeightConfig({
        weightDtype: dtypeOf(bits),
        weightGranularity: PerGroup(groupSize),
      }),
  },
  {
    names: ['uintx', 'uintx-weight-only'],
    summary: 'weights of 4 bits in groups of --group-size (128) by HQQ, or --bits 8 per row',
    takes: ['groupSize', 'bits'],
    create: ({ bits = 4, groupSize = bits === 8 ? -1 : 128 }) =>
      new UIntxWeightOnlyConfig({ bitWidth: bits, groupSize }),
  },
]

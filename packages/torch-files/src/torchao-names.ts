/**
 * @file The names of torchao that a pickle may hold, and what is known of each: the allow-list. Modules change
 * from version to version, so a name counts in whichever module of torchao it is.
 */

/** How torchao's metadata describes a class: names in the order in which they are written there. */
export interface AoLayout {
  /** Parts: optional ones first. */
  readonly parts: readonly string[]
  /** Attributes: optional ones first. `dtype` and `shape` are those of the weight that it stands for. */
  readonly attributes: readonly string[]
}

const INT4: AoLayout = {
  parts: ['act_pre_scale', 'qdata', 'scale', 'zero_point'],
  attributes: ['block_size', 'shape'],
}

/** Tensor classes. Those without a layout are described by what they hold, in its order. */
export const TENSOR_CLASSES: Readonly<Record<string, AoLayout | undefined>> = {
  Int8Tensor: {
    parts: [
      'zero_point',
      'act_quant_scale',
      'act_quant_zero_point',
      'act_pre_scale',
      'qdata',
      'scale',
    ],
    attributes: ['act_quant_kwargs', 'reduce_range', 'block_size', 'dtype'],
  },
  Float8Tensor: {
    parts: ['qdata', 'scale'],
    attributes: ['block_size', 'mm_config', 'act_quant_kwargs', 'kernel_preference', 'dtype'],
  },
  Int4Tensor: { ...INT4, attributes: ['activation_dtype', 'block_size', 'shape'] },
  Int4PlainInt32Tensor: INT4,
  Int4TilePackedTo4dTensor: {
    parts: ['act_pre_scale', 'qdata', 'scale_and_zero'],
    attributes: ['block_size', 'shape'],
  },
  Int4PreshuffledTensor: {
    parts: ['group_zero', 'row_scale', 'qdata', 'group_scale'],
    attributes: ['block_size', 'shape'],
  },
  IntxUnpackedToInt8Tensor: {
    parts: ['act_pre_scale', 'qdata', 'scale', 'zero_point'],
    attributes: ['target_dtype', 'block_size', 'dtype', 'activation_quantization'],
  },
  UIntxBitPackedTensor: {
    parts: ['packed_weight', 'scale', 'zero_point'],
    attributes: ['gemlite_kwargs', 'bit_width', 'group_size', 'dtype'],
  },
  MXTensor: undefined,
  NVFP4Tensor: undefined,
}

/** Classes of torchao 0.17 and older, which `older-classes.ts` turns into those of today, and their parts. */
export const OLDER_CLASSES: readonly string[] = [
  'AffineQuantizedTensor',
  'LinearActivationQuantizedTensor',
  ...['PlainAQTTensorImpl', 'QDQTensorImpl', 'TensorCoreTiledAQTTensorImpl'],
  ...['PlainAQTLayout', 'TensorCoreTiledAQTLayout'], // of torchao 0.5 and older
]

/** Dataclasses and named tuples; those that are pickled without names of their fields have them here. */
export const DATA_CLASSES: Readonly<Record<string, readonly string[]>> = {
  Float8MMConfig: ['emulate', 'use_fast_accum', 'pad_inner_dim'],
  QuantizeTensorToFloat8Kwargs: [],
  QuantizeTensorToInt8Kwargs: [],
  QuantizeTensorToMXKwargs: [],
  QuantizeTensorToNVFP4Kwargs: [],
  PerTensor: [],
  PerRow: [],
  PerAxis: [],
  PerGroup: [],
  PerBlock: [],
  PerToken: [],
  PlainLayout: [],
  PlainLayoutType: [],
  QDQLayout: [],
  TensorCoreTiledLayout: [],
  TensorCoreTiledLayoutType: [],
}

/** Enums: the names of their members by value. */
export const ENUMS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  KernelPreference: {
    auto: 'AUTO',
    torch: 'TORCH',
    mslk: 'MSLK',
    fbgemm: 'FBGEMM',
    emulated: 'EMULATED',
    triton: 'TRITON',
  },
  MappingType: { 1: 'SYMMETRIC', 2: 'SYMMETRIC_NO_CLIPPING_ERR', 3: 'ASYMMETRIC' },
  ZeroPointDomain: { 1: 'INT', 2: 'FLOAT', 3: 'NONE' },
  ScaleCalculationMode: { floor: 'FLOOR', rceil: 'RCEIL', ceil: 'CEIL', even: 'EVEN' },
}

/** Functions that older classes name as the way in which they quantize their input. */
export const INPUT_FUNCTIONS: readonly string[] = [
  '_int8_symm_per_token_reduced_range_quant',
  '_int8_asymm_per_token_quant',
]

/** Whether a pickle may hold a torchao of that name. */
export function isAoName(name: string): boolean {
  const tables = [TENSOR_CLASSES, DATA_CLASSES, ENUMS]
  const lists = [OLDER_CLASSES, INPUT_FUNCTIONS]
  return (
    tables.some((table) => Object.hasOwn(table, name)) || lists.some((list) => list.includes(name))
  )
}

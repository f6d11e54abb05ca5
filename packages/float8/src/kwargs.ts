/** @file How inputs are quantized to float8, and what torchao keeps beside a weight. */

import {
  booleanCodec,
  enumCodec,
  isFloat8DType,
  narrowDTypeCodec,
  numberCodec,
  optionalCodec,
  recordCodec,
  reshape,
  takes,
  ValueError,
  type DType,
  type Float8DType,
  type JsonCodec,
  type Tensor,
} from '@ao/base-tensor'
import {
  describeGranularity,
  getBlockSize,
  granularityCodec,
  PerRow,
  type Granularity,
} from '@ao/granularity'
import { fakeQuantizeAffineFloat8 } from '@ao/quant-primitives'
import { fail } from './errors.ts'

/** How torchao's products sum; kept in files, without effect here. */
export interface Float8MMConfig {
  /** Whether torchao multiplies numbers in place of codes. */
  readonly emulate: boolean
  /** Whether torchao's kernels may keep sums at less than float32. */
  readonly useFastAccum: boolean
  /** Whether torchao pads K to what its kernels take. */
  readonly padInnerDim: boolean
}

/** A frozen {@link Float8MMConfig}; what is not given is false. */
export function Float8MMConfig(options: Partial<Float8MMConfig> = {}): Float8MMConfig {
  takes('o{emulate useFastAccum padInnerDim}', options)
  const { emulate = false, useFastAccum = false, padInnerDim = false } = options
  return Object.freeze({ emulate, useFastAccum, padInnerDim })
}

/** Which kernels torchao is to take; kept in files, without effect here. */
export type KernelPreference = (typeof PREFERENCES)[number]

// FBGEMM is what MSLK was called before.
const PREFERENCES = ['AUTO', 'TORCH', 'MSLK', 'FBGEMM', 'EMULATED'] as const

/** {@link Float8MMConfig} in files. */
export const mmConfigCodec: JsonCodec<Float8MMConfig> = /* @__PURE__ */ recordCodec<Float8MMConfig>(
  'Float8MMConfig',
  {
    emulate: { codec: booleanCodec, fallback: false },
    useFastAccum: { codec: booleanCodec, fallback: false },
    padInnerDim: { codec: booleanCodec, fallback: false },
  },
)

/** {@link KernelPreference} in files. */
export const kernelPreferenceCodec: JsonCodec<KernelPreference> =
  /* @__PURE__ */ enumCodec<KernelPreference>('KernelPreference', PREFERENCES)

/** A float8 dtype in files. */
export const float8DtypeCodec: JsonCodec<Float8DType> =
  /* @__PURE__ */ narrowDTypeCodec(isFloat8DType)

/** How inputs are quantized to float8; torchao's `QuantizeTensorToFloat8Kwargs`. */
export interface QuantizeTensorToFloat8Kwargs {
  readonly float8Dtype: Float8DType
  /** PerRow: one scale a token. PerTensor: one for all. PerBlock([1, g]): one for g numbers of a token. */
  readonly granularity: Granularity
  readonly mmConfig: Float8MMConfig | undefined
  /** Bounds of the largest magnitude of a block, from which its scale is chosen. */
  readonly hpValueLb: number | undefined
  readonly hpValueUb: number | undefined
  readonly kernelPreference: KernelPreference
}

/**
 * A frozen, checked {@link QuantizeTensorToFloat8Kwargs}: float8_e4m3fn and PerRow() unless given.
 *
 * @throws {@link ValueError} for another dtype or granularity, and for bounds that leave nothing between them
 */
export function QuantizeTensorToFloat8Kwargs(
  options: Partial<QuantizeTensorToFloat8Kwargs> = {},
): QuantizeTensorToFloat8Kwargs {
  takes('o{float8Dtype granularity mmConfig hpValueLb hpValueUb kernelPreference}', options)
  const { float8Dtype = 'float8_e4m3fn', granularity = PerRow(), mmConfig } = options
  const { hpValueLb, hpValueUb, kernelPreference = 'AUTO' } = options
  checkFloat8(float8Dtype, 'of activations')
  checkBounds(hpValueLb, hpValueUb)
  if (!isOfTokens(granularity)) {
    throw fail(
      ValueError,
      'PerTensor, PerRow(dim=-1) or PerBlock of one row as the granularity of activations',
      describeGranularity(granularity),
    )
  }
  const values = { float8Dtype, granularity, mmConfig, hpValueLb, hpValueUb, kernelPreference }
  return Object.freeze(values)
}

/** @throws {@link ValueError} unless `dtype` is a float8 dtype */
export function checkFloat8(dtype: DType, of: string): asserts dtype is Float8DType {
  if (isFloat8DType(dtype)) return
  throw fail(ValueError, `float8_e4m3fn or float8_e5m2 as the dtype ${of}`, dtype)
}

/** @throws {@link ValueError} unless bounds of magnitudes are positive, and the lower the smaller */
export function checkBounds(lowest: number | undefined, highest: number | undefined): void {
  const [low = Number.MIN_VALUE, high = Number.MAX_VALUE] = [lowest, highest]
  if (low > 0 && low <= high && high <= Number.MAX_VALUE) return
  throw fail(ValueError, 'positive bounds of magnitudes, the lower first', `${lowest}, ${highest}`)
}

function isOfTokens(granularity: Granularity): boolean {
  if (granularity?.type === 'PerRow') return granularity.dim === -1
  if (granularity?.type !== 'PerBlock') return granularity?.type === 'PerTensor'
  return granularity.blockSize.slice(0, -1).every((size) => size === 1)
}

/** {@link QuantizeTensorToFloat8Kwargs} as torchao writes it. */
export const float8KwargsCodec: JsonCodec<QuantizeTensorToFloat8Kwargs> =
  /* @__PURE__ */ recordCodec<QuantizeTensorToFloat8Kwargs>(
    'QuantizeTensorToFloat8Kwargs',
    {
      float8Dtype: { codec: float8DtypeCodec, fallback: 'float8_e4m3fn' },
      granularity: { codec: granularityCodec, fallback: /* @__PURE__ */ PerRow() },
      mmConfig: { codec: /* @__PURE__ */ optionalCodec(mmConfigCodec), fallback: undefined },
      hpValueLb: { codec: /* @__PURE__ */ optionalCodec(numberCodec), fallback: undefined },
      hpValueUb: { codec: /* @__PURE__ */ optionalCodec(numberCodec), fallback: undefined },
      kernelPreference: { codec: kernelPreferenceCodec, fallback: 'AUTO' },
    },
    QuantizeTensorToFloat8Kwargs,
  )

/** What float8 leaves of an input `x` (..., K): float32, of the same shape. */
export function roundInput(x: Tensor, kwargs: QuantizeTensorToFloat8Kwargs): Tensor {
  const { float8Dtype, granularity, hpValueLb, hpValueUb } = kwargs
  const tokens = reshape(x, [-1, x.shape.at(-1) as number])
  const rule = { hpValueLb, hpValueUb, finite: true }
  const blockSize = getBlockSize(tokens.shape, granularity)
  return reshape(fakeQuantizeAffineFloat8(tokens, blockSize, float8Dtype, rule), x.shape)
}

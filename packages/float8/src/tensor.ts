/** @file Float8Tensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  asDense,
  checkBias,
  checkFinite,
  hostFloat32,
  integerCodec,
  isFloatDType,
  listCodec,
  narrowDTypeCodec,
  optionalCodec,
  takes,
  TensorSubclass,
  type DenseTensor,
  type Float8DType,
  type FloatDType,
  type JsonCodec,
  type OpImplementation,
  type Tensor,
} from '@ao/base-tensor'
import { getBlockSize, PerRow, type Granularity } from '@ao/granularity'
import {
  chooseScaleFloat8,
  dequantizeAffineFloat8,
  quantizeAffineFloat8,
} from '@ao/quant-primitives'
import { checkFloat, weightOpTable } from '@ao/quantized-linear'
import { PACKAGE } from './errors.ts'
import {
  checkBounds,
  checkFloat8,
  float8KwargsCodec,
  kernelPreferenceCodec,
  mmConfigCodec,
  QuantizeTensorToFloat8Kwargs,
  type Float8MMConfig,
  type KernelPreference,
} from './kwargs.ts'
import { checkLayout, float8Views, type Float8Fields, type StoredFloat8Fields } from './layout.ts'
import { float8DynamicLinear, float8Linear } from './linear-ops.ts'

/** How {@link Float8Tensor.fromHp} quantizes. */
export interface Float8FromHpOptions {
  /** Which elements share a scale: any granularity; PerRow() unless given. */
  readonly granularity?: Granularity | undefined
  /** float8_e4m3fn unless given. */
  readonly float8Dtype?: Float8DType | undefined
  /** How `linear` quantizes its input; left out, the tensor is weight-only. */
  readonly actQuantKwargs?: QuantizeTensorToFloat8Kwargs | undefined
  /** The least that the largest magnitude of a block counts as, where its scale is chosen. */
  readonly hpValueLb?: number | undefined
  /** The most that it counts as. */
  readonly hpValueUb?: number | undefined
  /** {@link Float8Fields.mmConfig}. */
  readonly mmConfig?: Float8MMConfig | undefined
  /** {@link Float8Fields.kernelPreference}. */
  readonly kernelPreference?: KernelPreference | undefined
  /** Whether to take a weight with NaN or infinities; false unless given. */
  readonly allowNonFinite?: boolean | undefined
}

/** A weight of float8 codes with a scale for each block; torchao's `Float8Tensor`. */
export class Float8Tensor extends TensorSubclass implements Float8Fields {
  static override readonly formatName: string = 'Float8Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly optionalTensorAttributeNames: readonly string[] = [
    'blockSize',
    'mmConfig',
    'actQuantKwargs',
    'kernelPreference',
    'dtype',
  ]
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    blockSize: /* @__PURE__ */ optionalCodec(/* @__PURE__ */ listCodec(integerCodec)),
    mmConfig: /* @__PURE__ */ optionalCodec(mmConfigCodec),
    actQuantKwargs: /* @__PURE__ */ optionalCodec(float8KwargsCodec),
    kernelPreference: /* @__PURE__ */ optionalCodec(kernelPreferenceCodec),
    dtype: /* @__PURE__ */ optionalCodec(/* @__PURE__ */ narrowDTypeCodec(isFloatDType)),
  }

  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => Float8Tensor,
    views: float8Views,
    linear: linearOfFloat8,
  })

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor
  declare readonly blockSize: readonly number[]
  declare readonly mmConfig: Float8MMConfig | undefined
  declare readonly actQuantKwargs: QuantizeTensorToFloat8Kwargs | undefined
  declare readonly kernelPreference: KernelPreference

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: StoredFloat8Fields) {
    takes('o<qdata:t scale:t>', fields)
    const checked = checkLayout(fields)
    const { actQuantKwargs } = fields
    super(
      {
        ...checked,
        actQuantKwargs: actQuantKwargs && QuantizeTensorToFloat8Kwargs(actQuantKwargs),
      },
      fields.qdata.shape,
      checked.dtype,
    )
  }

  /**
   * Quantizes a dense weight; torchao's `Float8Tensor.from_hp`.
   *
   * @param weight - (N, K), or (E, N, K) for experts; floating
   * @throws {@link ShapeError} when blocks do not divide the weight
   * @throws {@link ValueError} for a weight with NaN or infinities; one on another device than the CPU is
   * refused when the result comes to the CPU
   */
  static fromHp(weight: Tensor, options: Float8FromHpOptions = {}): Float8Tensor {
    takes(
      'to{granularity float8Dtype actQuantKwargs hpValueLb hpValueUb mmConfig kernelPreference allowNonFinite}',
      weight,
      options,
    )
    const result = new Float8Tensor(float8Fields(weight, options))
    return options.allowNonFinite ? result : result.requireFinite()
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    return asDense(dequantizeAffineFloat8(this.qdata, this.scale, dtype, { finite: true }))
  }
}

/** The fields of a quantized weight. */
export function float8Fields(weight: Tensor, options: Float8FromHpOptions): Float8Fields {
  const dtype = checkFloat(asDense(weight, 'what is quantized'))
  const { granularity = PerRow(), float8Dtype = 'float8_e4m3fn', hpValueLb, hpValueUb } = options
  const { actQuantKwargs, mmConfig, kernelPreference } = options
  checkFloat8(float8Dtype, 'of weights')
  checkBounds(hpValueLb, hpValueUb)
  // An upper bound would take infinities for large numbers.
  const isHidden = hpValueUb !== undefined && weight.device.isHost
  if (isHidden && !options.allowNonFinite) checkFinite(hostFloat32(weight), 'weight')
  const blockSize = getBlockSize(weight.shape, granularity)
  const rule = { hpValueLb, hpValueUb, finite: true }
  const scale = asDense(chooseScaleFloat8(weight, blockSize, float8Dtype, rule))
  const qdata = asDense(quantizeAffineFloat8(weight, scale, float8Dtype, rule))
  return { qdata, scale, blockSize, dtype, actQuantKwargs, mmConfig, kernelPreference }
}

/** `x @ weight^T + bias` in the dtype of `x`, which is rounded to float8 first where the weight says how. */
export function linearOfFloat8(x: Tensor, weight: Float8Tensor, bias?: Tensor): Tensor {
  const { qdata, scale, actQuantKwargs } = weight
  if (!actQuantKwargs) return weightLinear(x, weight, bias)
  checkBias(bias, qdata.shape[0] as number, PACKAGE)
  return float8DynamicLinear(x, [qdata, scale], bias, actQuantKwargs)
}

/** `x @ weight^T + bias` in the dtype of `x`, as it is. */
export function weightLinear(x: Tensor, weight: Float8Tensor, bias?: Tensor): Tensor {
  const { qdata, scale } = weight
  checkBias(bias, qdata.shape[0] as number, PACKAGE)
  return float8Linear(x, [qdata, scale], bias)
}

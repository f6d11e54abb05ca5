/** @file Ops that choose the scale and zero point of each block of a tensor. */

import {
  defineOp,
  DTypeError,
  fromFloat32,
  hostFloat32,
  ShapeError,
  ValueError,
  zeros,
  type DType,
  type FloatDType,
  type Op,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { floatDTypeOf } from './arithmetic.ts'
import { blockRange } from './block-range.ts'
import { blockLayout, qparamsShape } from './blocks.ts'
import { quantBounds, type MappingType, type QuantBoundsOptions } from './bounds.ts'
import {
  AFFINE_RULES,
  asymmetric,
  qparamsSetting,
  tinygemm,
  type BlockQparams,
  type QparamsRule,
  type QparamsSetting,
} from './qparams-rules.ts'

/** One scale and one zero point for each block. */
export interface AffineQparams {
  readonly scale: Tensor
  readonly zeroPoint: Tensor
}

/** Options of the ops that choose scales and zero points. */
export interface QparamsOptions extends QuantBoundsOptions {
  /** The smallest scale; the smallest normal number of the input's dtype unless given. */
  readonly eps?: number | undefined
  /** The input's dtype unless given. Scales are computed in the input's dtype and cast last. */
  readonly scaleDtype?: StoredDType | undefined
  /** Dtype of zero points. */
  readonly zeroPointDtype?: StoredDType | undefined
  /**
   * Whether all codes of finite numbers stand for finite numbers, on all devices alike: ranges then end
   * before the largest number of the dtype, and blocks of numbers below 2^-100 count as zeros. False unless
   * given, as in torchao, where values become infinite or NaN there.
   */
  readonly finite?: boolean | undefined
}

/** Options of {@link chooseQparamsAffine}. */
export interface ChooseQparamsOptions extends QparamsOptions {
  /**
   * Whether scales have the input's rank, with the number of blocks along each dimension; false unless
   * given: reduced dimensions are dropped.
   */
  readonly keepdim?: boolean | undefined
}

type ChooseArgs = [
  input: Tensor,
  mappingType: MappingType,
  blockSize: readonly number[],
  targetDtype: DType,
  options?: ChooseQparamsOptions,
]

/**
 * Scale and zero point of each block of `input`; torchao's `choose_qparams_affine`.
 *
 * The range of a block always includes zero. Every step rounds to the input's dtype, and the zero point
 * follows from the scale before its cast to `scaleDtype`. Zero points are int32 unless told.
 *
 * @throws {@link DTypeError} for an input that is not floating or an unsupported `targetDtype`
 * @throws {@link ShapeError} when blocks do not fit the input
 * @throws {@link ValueError} for an unknown mapping, or bounds that `targetDtype` does not have
 */
export const chooseQparamsAffine: Op<ChooseArgs, AffineQparams> = /* @__PURE__ */ chooseOp(
  'chooseQparamsAffine',
  ['SYMMETRIC', 'SYMMETRIC_NO_CLIPPING_ERR', 'ASYMMETRIC'],
  (mappingType) => AFFINE_RULES[mappingType],
  () => 'int32',
)

/**
 * {@link chooseQparamsAffine} with a floating zero point; torchao's `_choose_qparams_affine_tinygemm`.
 *
 * The zero point is the *value* of the middle code (8 for 0..15), of the input's dtype unless told. The
 * range need not include zero. `ASYMMETRIC` only.
 *
 * @throws as {@link chooseQparamsAffine}
 */
export const chooseQparamsAffineTinygemm: Op<ChooseArgs, AffineQparams> = /* @__PURE__ */ chooseOp(
  'chooseQparamsAffineTinygemm',
  ['ASYMMETRIC'],
  () => tinygemm,
  (dtype) => dtype,
)

/**
 * {@link chooseQparamsAffine} on the range as it is, without zero; torchao's
 * `_choose_qparams_affine_dont_preserve_zero`. `ASYMMETRIC` only.
 *
 * @remarks The zero point is still clamped to the codes, so blocks with zero outside saturate.
 * @throws as {@link chooseQparamsAffine}
 */
export const chooseQparamsAffineDontPreserveZero: Op<ChooseArgs, AffineQparams> =
  /* @__PURE__ */ chooseOp(
    'chooseQparamsAffineDontPreserveZero',
    ['ASYMMETRIC'],
    () => asymmetric,
    () => 'int32',
  )

/* @__NO_SIDE_EFFECTS__ */
function chooseOp(
  name: string,
  mappings: readonly MappingType[],
  ruleOf: (mappingType: MappingType) => QparamsRule,
  defaultZeroPointDtype: (dtype: FloatDType) => StoredDType,
): Op<ChooseArgs, AffineQparams> {
  const plan = (
    ...[input, mappingType, blockSize, targetDtype, options = {}]: ChooseArgs
  ): Plan => {
    checkMapping(mappingType, mappings)
    const dtype = floatDTypeOf(input)
    return {
      setting: qparamsSetting(
        dtype,
        quantBounds(targetDtype, options),
        options.eps,
        options.finite,
      ),
      ...reduction(input.shape, blockSize, options.keepdim ?? false),
      scaleDtype: options.scaleDtype ?? dtype,
      zeroPointDtype: options.zeroPointDtype ?? defaultZeroPointDtype(dtype),
    }
  }
  return defineOp({
    name,
    takes: 'txszo?',
    reference: (...args: ChooseArgs): AffineQparams => {
      const [input, mappingType] = args
      const planned = plan(...args)
      const range = blockRange(input, blockLayout(input.shape, planned.blockSize))
      return toTensors(ruleOf(mappingType)(range, planned.setting), planned)
    },
    meta: (...args: ChooseArgs): AffineQparams => emptyQparams(plan(...args), args[0]),
  })
}

type MinMaxArgs = [
  minVal: Tensor,
  maxVal: Tensor,
  mappingType: MappingType,
  targetDtype: DType,
  options?: QparamsOptions,
]

/**
 * {@link chooseQparamsAffine} from ranges that are known, such as an observer's; torchao's
 * `choose_qparams_affine_with_min_max`.
 *
 * `minVal` and `maxVal` have equal shape and dtype; the results have that shape. Without
 * `zeroPointDtype`, zero points are int32 for `ASYMMETRIC` and of the input's dtype otherwise.
 *
 * @throws {@link DTypeError} when the two differ in dtype or are not floating
 * @throws {@link ShapeError} when the two differ in shape
 * @throws {@link ValueError} as {@link chooseQparamsAffine}
 */
export const chooseQparamsAffineWithMinMax: Op<MinMaxArgs, AffineQparams> =
  /* @__PURE__ */ defineOp({
    name: 'chooseQparamsAffineWithMinMax',
    takes: 'ttxzo?',
    reference: (...args: MinMaxArgs): AffineQparams => {
      const [minVal, maxVal, mappingType] = args
      const planned = minMaxPlan(...args)
      const range = { min: hostFloat32(minVal), max: hostFloat32(maxVal) }
      return toTensors(AFFINE_RULES[mappingType](range, planned.setting), planned)
    },
    meta: (...args: MinMaxArgs): AffineQparams => emptyQparams(minMaxPlan(...args), args[0]),
  })

function minMaxPlan(
  ...[minVal, maxVal, mappingType, targetDtype, options = {}]: MinMaxArgs
): QparamsPlan {
  checkMapping(mappingType, Object.keys(AFFINE_RULES))
  if (minVal.dtype !== maxVal.dtype) {
    throw fail(DTypeError, 'minVal and maxVal of one dtype', `${minVal.dtype} and ${maxVal.dtype}`)
  }
  if (minVal.shape.join() !== maxVal.shape.join()) {
    throw fail(
      ShapeError,
      'minVal and maxVal of one shape',
      `[${minVal.shape.join(', ')}] and [${maxVal.shape.join(', ')}]`,
    )
  }
  const dtype = floatDTypeOf(minVal, 'minVal')
  return {
    setting: qparamsSetting(dtype, quantBounds(targetDtype, options), options.eps, options.finite),
    shape: minVal.shape,
    scaleDtype: options.scaleDtype ?? dtype,
    zeroPointDtype: options.zeroPointDtype ?? (mappingType === 'ASYMMETRIC' ? 'int32' : dtype),
  }
}

/** All that is known of the result before the numbers. */
interface QparamsPlan {
  readonly setting: QparamsSetting
  readonly shape: readonly number[]
  readonly scaleDtype: StoredDType
  readonly zeroPointDtype: StoredDType
}

interface Plan extends QparamsPlan {
  readonly blockSize: readonly number[]
}

/**
 * The blocks that are reduced and the shape of the result.
 *
 * @remarks `torch.amin` over no dimensions reduces all of them. So where every block is one element,
 * torchao gives a single scale, and fails when asked to keep the dimensions; so do we.
 */
function reduction(
  shape: readonly number[],
  blockSize: readonly number[],
  keepdim: boolean,
): { blockSize: readonly number[]; shape: readonly number[] } {
  const kept = qparamsShape(shape, blockSize, keepdim)
  const single = blockSize.every((size) => size === 1)
  if (!single) return { blockSize, shape: kept }
  if (!keepdim) return { blockSize: shape, shape: [] }
  if (shape.every((size) => size === 1)) return { blockSize, shape: kept }
  throw fail(
    ShapeError,
    'blocks of more than one element',
    `a block size of [${blockSize.join(', ')}]`,
  )
}

function checkMapping(mappingType: string, supported: readonly string[]): void {
  if (supported.includes(mappingType)) return
  throw fail(ValueError, `a mapping of ${supported.join(', ')}`, mappingType)
}

function toTensors(qparams: BlockQparams, plan: QparamsPlan): AffineQparams {
  return {
    scale: fromFloat32(qparams.scale, plan.shape, plan.scaleDtype),
    zeroPoint: fromFloat32(qparams.zeroPoint, plan.shape, plan.zeroPointDtype),
  }
}

function emptyQparams(plan: QparamsPlan, input: Tensor): AffineQparams {
  return {
    scale: zeros(plan.shape, plan.scaleDtype, input.device),
    zeroPoint: zeros(plan.shape, plan.zeroPointDtype, input.device),
  }
}

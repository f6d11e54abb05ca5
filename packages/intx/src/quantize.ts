/** @file From a dense weight to codes, scales and zero points. */

import {
  asDense,
  cast,
  isDenseTensor,
  ValueError,
  zeros,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { checkGroupSize, describeGranularity, PerAxis, type Granularity } from '@ao/granularity'
import {
  chooseQparamsAffine,
  chooseQparamsAndQuantizeScaleOnlyHqq,
  quantBounds,
  quantizeAffine,
  type MappingType,
} from '@ao/quant-primitives'
import { checkFloat, groupBlockSize, type FromHpOptions } from '@ao/quantized-linear'
import type { IntxActivation } from './activations.ts'
import { bitsOf, fail, type IntxDType, type IntxFields } from './layout.ts'

/**
 * How scales are chosen: AFFINE by the range of a group's values; HQQ_SCALE_ONLY by a least-squares fit, for
 * symmetric codes of weights (N, K).
 */
export type IntxChooseQparamsAlgorithm = 'AFFINE' | 'HQQ_SCALE_ONLY'

/** How {@link IntxUnpackedToInt8Tensor.fromHp} quantizes. */
export interface IntxFromHpOptions extends FromHpOptions {
  /** PerAxis(0), a scale for each row, or PerGroup(n); PerAxis(0) unless given. */
  readonly granularity?: Granularity | undefined
  /** int1 to int8; int8 unless given. */
  readonly targetDtype?: IntxDType | undefined
  /** SYMMETRIC unless given. */
  readonly mappingType?: MappingType | undefined
  /** How inputs are quantized; left out, they are not. */
  readonly activationQuantization?: IntxActivation | undefined
  /** AFFINE unless given. */
  readonly chooseQparamsAlgorithm?: IntxChooseQparamsAlgorithm | undefined
  /** Dtype of scales; that of the weight unless given. */
  readonly scaleDtype?: FloatDType | undefined
  /** Scales to use instead of chosen ones, (N, K / g); `chooseQparamsAlgorithm` must be left out. */
  readonly scale?: DenseTensor | undefined
  /** The zero points that go with `scale`; zeros unless given. */
  readonly zeroPoint?: DenseTensor | undefined
}

type Chosen = Pick<IntxFields, 'qdata' | 'scale' | 'zeroPoint'>

/** The fields of a quantized weight, a byte for each code. */
export function quantizeIntx(weight: Tensor, options: IntxFromHpOptions): IntxFields {
  const { targetDtype = 'int8', granularity = PerAxis(0), activationQuantization } = options
  bitsOf(targetDtype)
  const dtype = checkFloat(asDense(weight, 'what is quantized'))
  const blockSize = rowBlock(weight.shape, granularity)
  const chosen = withScaleDtype(weight, blockSize, targetDtype, options.scaleDtype, {
    ...chooseCodes(weight, blockSize, targetDtype, options),
  })
  return { ...chosen, targetDtype, blockSize, dtype, activationQuantization }
}

/** Ones, and the group size: K for PerAxis(0). */
function rowBlock(shape: readonly number[], granularity: Granularity): readonly number[] {
  const k = shape.at(-1) as number
  const isPerRow = granularity.type === 'PerAxis' && granularity.axis === 0
  if (granularity.type !== 'PerGroup' && !isPerRow) throw badGranularity(granularity)
  const groupSize = granularity.type === 'PerGroup' ? granularity.groupSize : k
  if (!isPerRow) checkGroupSize(k, groupSize, { fail })
  return groupBlockSize(shape.length, groupSize)
}

/** What a config or option says of another granularity. */
export function badGranularity(granularity: unknown): ValueError {
  const expected =
    'PerGroup(n), or PerAxis(0) for a scale a row, as the granularity of intx weights'
  return fail(ValueError, expected, describeGranularity(granularity))
}

function chooseCodes(
  weight: Tensor,
  blockSize: readonly number[],
  targetDtype: IntxDType,
  options: IntxFromHpOptions,
): Chosen {
  const { mappingType = 'SYMMETRIC', chooseQparamsAlgorithm: algorithm = 'AFFINE' } = options
  const bounds = quantBounds(targetDtype)
  if (options.scale) return codesOf(weight, blockSize, bounds, given(weight, options))
  if (algorithm === 'HQQ_SCALE_ONLY') {
    if (mappingType !== 'SYMMETRIC') {
      throw fail(ValueError, 'SYMMETRIC mapping with HQQ_SCALE_ONLY', mappingType)
    }
    const { quantMin, quantMax } = bounds
    const found = chooseQparamsAndQuantizeScaleOnlyHqq(weight, blockSize, quantMin, quantMax)
    const scale = asDense(found.scale)
    const zeroPoint = zeros(scale.shape, 'int8', weight.device)
    return { qdata: asDense(cast(found.qdata, 'int8')), scale, zeroPoint }
  }
  if (mappingType === 'SYMMETRIC_NO_CLIPPING_ERR' && targetDtype === 'int1') {
    const cure = 'int1 has the codes -1 and 0: take SYMMETRIC or ASYMMETRIC.'
    throw fail(ValueError, 'a dtype with positive codes for that mapping', targetDtype, cure)
  }
  const qparams = chooseQparamsAffine(weight, mappingType, blockSize, 'int8', {
    ...{ ...bounds, zeroPointDtype: 'int8', keepdim: true, finite: true },
  })
  const [scale, zeroPoint] = [asDense(qparams.scale), asDense(qparams.zeroPoint)]
  return codesOf(weight, blockSize, bounds, { scale, zeroPoint })
}

function codesOf(
  weight: Tensor,
  blockSize: readonly number[],
  bounds: ReturnType<typeof quantBounds>,
  { scale, zeroPoint }: Pick<Chosen, 'scale' | 'zeroPoint'>,
): Chosen {
  const qdata = quantizeAffine(weight, blockSize, scale, zeroPoint, 'int8', bounds)
  return { qdata: asDense(qdata), scale, zeroPoint }
}

/** Given scales and zero points; integers of more bits become int8, as in torchao. */
function given(
  { device }: Tensor,
  { scale, zeroPoint, chooseQparamsAlgorithm }: IntxFromHpOptions,
): Pick<Chosen, 'scale' | 'zeroPoint'> {
  if (chooseQparamsAlgorithm) {
    throw fail(ValueError, 'no chooseQparamsAlgorithm beside a scale', chooseQparamsAlgorithm)
  }
  if (!isDenseTensor(scale)) throw fail(ValueError, 'a dense scale', typeof scale)
  const zero = zeroPoint ?? zeros(scale.shape, 'int8', device)
  return { scale, zeroPoint: zero.dtype === 'int32' ? asDense(cast(zero, 'int8')) : zero }
}

/** `chosen` with scales in another dtype, and the codes that these give with the same zero points. */
function withScaleDtype(
  weight: Tensor,
  blockSize: readonly number[],
  targetDtype: IntxDType,
  scaleDtype: FloatDType | undefined,
  chosen: Chosen,
): Chosen {
  if (!scaleDtype || scaleDtype === chosen.scale.dtype) return chosen
  const scale = asDense(cast(chosen.scale, scaleDtype))
  return codesOf(weight, blockSize, quantBounds(targetDtype), { ...chosen, scale })
}

/** @file How the inputs of a quantized weight are quantized when the two meet. */

import { booleanCodec, recordCodec, ValueError, type JsonCodec, takes } from '@ao/base-tensor'
import { describeGranularity, granularityCodec, PerRow, type Granularity } from '@ao/granularity'
import { mappingTypeCodec, type MappingType } from '@ao/quant-primitives'
import { fail } from './errors.ts'

/** How activations are quantized to int8; torchao's `QuantizeTensorToInt8Kwargs`. */
export interface QuantizeTensorToInt8Kwargs {
  /** PerRow: one scale a token. PerTensor: one for all. */
  readonly granularity: Granularity
  /** SYMMETRIC: the zero point is 0. ASYMMETRIC: codes span the smallest to the largest value. */
  readonly mappingType: MappingType
  /** Whether codes keep to -64..63. */
  readonly reduceRange: boolean
  /**
   * Whether an input of one token stays in full precision: decoding reads each weight once, so
   * quantizing the token costs accuracy and saves nothing. Files have no place for it.
   */
  readonly weightOnlyDecode: boolean
}

/**
 * A frozen, checked {@link QuantizeTensorToInt8Kwargs}.
 *
 * @throws {@link ValueError} unless granularity is PerTensor or PerRow(-1), and mapping SYMMETRIC or
 * ASYMMETRIC
 */
export function QuantizeTensorToInt8Kwargs(
  options: Partial<QuantizeTensorToInt8Kwargs> = {},
): QuantizeTensorToInt8Kwargs {
  takes('o{granularity mappingType reduceRange weightOnlyDecode}', options)
  const {
    granularity = PerRow(),
    mappingType = 'SYMMETRIC',
    reduceRange = false,
    weightOnlyDecode = false,
  } = options
  const perLastRow = granularity?.type === 'PerRow' && granularity.dim === -1
  if (granularity?.type !== 'PerTensor' && !perLastRow) {
    throw fail(
      ValueError,
      'PerTensor or PerRow(dim=-1) as the granularity of activations',
      describeGranularity(granularity),
    )
  }
  if (mappingType !== 'SYMMETRIC' && mappingType !== 'ASYMMETRIC') {
    throw fail(ValueError, 'SYMMETRIC or ASYMMETRIC as the mapping of activations', mappingType)
  }
  return Object.freeze({ granularity, mappingType, reduceRange, weightOnlyDecode })
}

type StoredKwargs = Omit<QuantizeTensorToInt8Kwargs, 'weightOnlyDecode'>

/** {@link QuantizeTensorToInt8Kwargs} as torchao writes it; `weightOnlyDecode` is read as false. */
export const quantizeKwargsCodec: JsonCodec<QuantizeTensorToInt8Kwargs> =
  /* @__PURE__ */ recordCodec<StoredKwargs, QuantizeTensorToInt8Kwargs>(
    'QuantizeTensorToInt8Kwargs',
    {
      granularity: { codec: granularityCodec },
      mappingType: { codec: mappingTypeCodec },
      reduceRange: { codec: booleanCodec, fallback: false },
    },
    QuantizeTensorToInt8Kwargs,
  )

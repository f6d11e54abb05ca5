/**
 * @file What files hold of a preshuffled weight: torchao's plain form, of signed codes.
 *
 *     bit    7 6 5 4   | 3 2 1 0        qdata int8 (N, K / 2), scale and zeroPoint (K / g, N)
 *          k = 2 j + 1 | k = 2 j
 *
 * So torchao and other formats read these files, and their codes are shuffled as they are loaded.
 */

import {
  asDense,
  integerCodec,
  listCodec,
  narrowDTypeCodec,
  optionalCodec,
  UnsupportedOpError,
  zeros,
  type DenseTensor,
  type FlattenedTensor,
  type FloatDType,
  type StoredForm,
  type SubclassFields,
} from '@ao/base-tensor'
import { packInt4, unpackInt4 } from '@ao/quant-primitives'
import {
  isInt4ActivationDType,
  type Int4ActivationDType,
  type Int4Codes,
} from '@ao/quantized-linear'
import { checkBlockSize, checkPart, PACKAGE } from './layout.ts'

/** The plain form of a format that gives and takes codes. */
/* @__NO_SIDE_EFFECTS__ */
export function plainForm(methods: Pick<StoredForm, 'flatten' | 'unflatten'>): StoredForm {
  return {
    formatName: 'Int4Tensor',
    tensorDataNames: ['qdata', 'scale', 'zeroPoint'],
    optionalTensorDataNames: ['actPreScale'],
    tensorAttributeNames: ['blockSize', 'shape'],
    optionalTensorAttributeNames: ['activationDtype'],
    attributeCodecs: {
      blockSize: listCodec(integerCodec),
      shape: listCodec(integerCodec),
      activationDtype: optionalCodec(narrowDTypeCodec(isInt4ActivationDType)),
    },
    ...methods,
  }
}

/** Codes as parts of the plain form; codes without zero points get zeros. */
export function toPlainParts(
  codes: Int4Codes,
  blockSize: readonly number[],
  activationDtype: Int4ActivationDType,
): FlattenedTensor {
  const { scale, zeroPoint } = codes
  const zeroPoints = zeroPoint?.values ?? zeros(scale.shape, scale.dtype, scale.device)
  return {
    tensors: {
      qdata: asDense(packInt4(codes.codes)),
      scale: asDense(scale),
      zeroPoint: asDense(zeroPoints),
    },
    attributes: { blockSize, shape: codes.codes.shape, activationDtype },
  }
}

/** What {@link toPlainParts} made, or a file holds: parts and attributes by name. */
interface PlainFields {
  readonly qdata: DenseTensor
  readonly scale: DenseTensor
  readonly zeroPoint: DenseTensor
  readonly actPreScale?: DenseTensor | undefined
  readonly blockSize: readonly number[]
  readonly shape: readonly number[]
  readonly activationDtype?: Int4ActivationDType | undefined
}

/**
 * The codes of parts of the plain form, and what inputs they are for.
 *
 * @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other
 * @throws {@link UnsupportedOpError} for a pre-scale of inputs, which this format does not have
 */
export function fromPlainParts(fields: SubclassFields): {
  readonly codes: Int4Codes
  readonly activationDtype: Int4ActivationDType
} {
  const parts = fields as unknown as PlainFields
  const { qdata, scale, zeroPoint, blockSize, shape, activationDtype = 'bfloat16' } = parts
  if (parts.actPreScale) {
    throw new UnsupportedOpError({
      package: PACKAGE,
      expected: 'a weight without actPreScale',
      got: 'one that has it',
      cure: 'Read it as Int4Tensor.',
    })
  }
  checkBlockSize(blockSize, shape)
  checkPart('qdata', qdata, 'int8', shape.with(-1, (shape.at(-1) as number) / 2))
  const codes: Int4Codes = {
    codes: unpackInt4(qdata),
    scale,
    zeroPoint: { domain: 'FLOAT', values: zeroPoint },
    groupSize: blockSize.at(-1) as number,
    dtype: scale.dtype as FloatDType, // checked with the codes
  }
  return { codes, activationDtype }
}

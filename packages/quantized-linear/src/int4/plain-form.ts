/**
 * @file What files hold of int4 weights in orders of our own: torchao's plain form, of signed codes.
 *
 *     bit    7 6 5 4   | 3 2 1 0        qdata int8 (N, K / 2), scale and zeroPoint (K / g, N)
 *          k = 2 j + 1 | k = 2 j
 *
 * So torchao and other formats read these files, and codes take their order as they are loaded.
 */

import {
  asDense,
  checkDType,
  checkShape,
  errorsOf,
  expectFormat,
  integerCodec,
  listCodec,
  narrowDTypeCodec,
  optionalCodec,
  UnsupportedOpError,
  zeros,
  type DenseTensor,
  type FloatDType,
  type StoredForm,
  type TensorSubclassType,
} from '@ao/base-tensor'
import type { Int4Codes } from './codes.ts'
import { packInt4, unpackInt4 } from './pack.ts'
import {
  isInt4ActivationDType,
  type Int4ActivationDType,
  type Int4CodedTensor,
} from './packing-format.ts'

/** A tensor that files hold in the plain form. */
interface PlainFormTensor extends Int4CodedTensor {
  readonly blockSize: readonly number[]
  readonly activationDtype: Int4ActivationDType
}

/** What a format says of itself, to be stored in the plain form. */
export interface PlainFormOptions<T extends PlainFormTensor> {
  /** For errors. */
  readonly packageName: string
  /** The class, which its own static fields cannot name otherwise. */
  readonly type: () => TensorSubclassType<T> & {
    fromCodes(codes: Int4Codes, options: { readonly activationDtype: Int4ActivationDType }): T
  }
  /** Throws unless the format has such blocks in a weight of this shape. */
  readonly checkBlockSize: (blockSize: readonly number[], shape: readonly number[]) => void
}

/** The fields of the plain form. */
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
 * The plain form of a format that gives and takes codes. Codes without zero points get zeros.
 *
 * Reading throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other, and
 * {@link UnsupportedOpError} for a pre-scale of inputs, which such formats do not have.
 */
/* @__NO_SIDE_EFFECTS__ */
export function int4PlainForm<T extends PlainFormTensor>(options: PlainFormOptions<T>): StoredForm {
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
    flatten: (tensor) => {
      const weight = expectFormat(tensor, options.type(), options.packageName)
      const { codes, scale, zeroPoint } = weight.toCodes()
      const zeroPoints = zeroPoint?.values ?? zeros(scale.shape, scale.dtype, scale.device)
      const { blockSize, activationDtype } = weight
      return {
        tensors: {
          qdata: asDense(packInt4(codes)),
          scale: asDense(scale),
          zeroPoint: asDense(zeroPoints),
        },
        attributes: { blockSize, shape: codes.shape, activationDtype },
      }
    },
    unflatten: (fields) => {
      const plain = fields as unknown as PlainFields
      return options.type().fromCodes(codesOf(plain, options), {
        activationDtype: plain.activationDtype ?? 'bfloat16',
      })
    },
  }
}

function codesOf(
  { qdata, scale, zeroPoint, actPreScale, blockSize, shape }: PlainFields,
  { packageName, checkBlockSize }: Omit<PlainFormOptions<never>, 'type'>,
): Int4Codes {
  if (actPreScale) {
    const fail = errorsOf(packageName)
    const expected = 'a weight without actPreScale'
    throw fail(UnsupportedOpError, expected, 'one that has it', 'Read it as Int4Tensor.')
  }
  checkBlockSize(blockSize, shape)
  checkDType('qdata', qdata, 'int8', packageName)
  checkShape('qdata', qdata, shape.with(-1, (shape.at(-1) as number) / 2), packageName)
  return {
    codes: unpackInt4(qdata),
    scale,
    zeroPoint: { domain: 'FLOAT', values: zeroPoint },
    groupSize: blockSize.at(-1) as number,
    dtype: scale.dtype as FloatDType, // checked with the codes
  }
}

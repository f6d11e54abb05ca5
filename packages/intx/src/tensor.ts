/** @file IntxUnpackedToInt8Tensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  asDense,
  inScope,
  integerCodec,
  isFloatDType,
  listCodec,
  narrowDTypeCodec,
  optionalCodec,
  rejectJson,
  takes,
  TensorSubclass,
  type DenseTensor,
  type Device,
  type FloatDType,
  type JsonCodec,
  type OpImplementation,
  type StoredForm,
  type Tensor,
} from '@ao/base-tensor'
import { dequantizeAffine } from '@ao/quant-primitives'
import { linearInput, packedDim, weightOpTable } from '@ao/quantized-linear'
import { INTX_ACTIVATIONS, type IntxActivation } from './activations.ts'
import {
  bitsOf,
  checkLayout,
  fillsWords,
  intxViews,
  isIntxDType,
  isPacked,
  PACKAGE,
  shapeOfIntx,
  type IntxDType,
  type IntxFields,
} from './layout.ts'
import { intxDynamicLinear, intxLinear, type IntxForm, type IntxWeight } from './linear-ops.ts'
import { packIntx, unpackIntx } from './pack.ts'
import { quantizeIntx, type IntxFromHpOptions } from './quantize.ts'

const activationCodec: JsonCodec<IntxActivation> = {
  encode: (name) => name,
  decode: (json, path) =>
    INTX_ACTIVATIONS.find((name) => name === json) ??
    rejectJson(path, `null or one of ${INTX_ACTIVATIONS.join(', ')}`, json),
}

/**
 * A weight of codes of 1 to 8 bits with a scale and a zero point for each group; torchao's
 * `IntxUnpackedToInt8Tensor`.
 *
 * Codes have a byte each on the CPU and in files, and their own number of bits on other devices: `to` packs them,
 * and unpacks them for the CPU.
 */
export class IntxUnpackedToInt8Tensor extends TensorSubclass implements IntxFields {
  static override readonly formatName: string = 'IntxUnpackedToInt8Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale', 'zeroPoint']
  static override readonly tensorAttributeNames: readonly string[] = [
    'targetDtype',
    'blockSize',
    'dtype',
    'activationQuantization',
  ]
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    targetDtype: /* @__PURE__ */ narrowDTypeCodec(isIntxDType),
    blockSize: /* @__PURE__ */ listCodec(integerCodec),
    dtype: /* @__PURE__ */ narrowDTypeCodec(isFloatDType),
    activationQuantization: /* @__PURE__ */ optionalCodec(activationCodec),
  }
  static override readonly storedForm: StoredForm = /* @__PURE__ */ bytesForm()

  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => IntxUnpackedToInt8Tensor,
    views: intxViews,
    linear: multiply,
  })

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor
  declare readonly zeroPoint: DenseTensor
  declare readonly targetDtype: IntxDType
  declare readonly blockSize: readonly number[]
  declare readonly activationQuantization: IntxActivation | undefined

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: IntxFields) {
    takes('o<qdata:t scale:t zeroPoint:t targetDtype:z blockSize:l dtype:z>', fields)
    checkLayout(fields)
    const blockSize = Object.freeze([...fields.blockSize])
    super({ ...fields, blockSize }, shapeOfIntx(fields), fields.dtype)
  }

  /**
   * Quantizes a dense weight; torchao's `IntxUnpackedToInt8Tensor.from_hp`.
   *
   * @param weight - (N, K), or (E, N, K) for experts; floating
   * @throws {@link ShapeError} unless groups divide K; {@link ValueError} for options that do not go together
   * @throws {@link ValueError} for a weight with NaN or infinities; one on another device than the CPU is
   * refused when the result comes to the CPU
   */
  static fromHp(weight: Tensor, options: IntxFromHpOptions = {}): IntxUnpackedToInt8Tensor {
    takes(
      'to{granularity allowNonFinite targetDtype mappingType activationQuantization chooseQparamsAlgorithm scaleDtype scale zeroPoint}',
      weight,
      options,
    )
    const bytes = new IntxUnpackedToInt8Tensor(quantizeIntx(weight, options))
    const result = hasBytes(weight.device) ? bytes : packed(bytes)
    return options.allowNonFinite ? result : result.requireFinite()
  }

  override async to(device: Device): Promise<this> {
    const moved = await super.to(device)
    if (moved === this) return this
    const placed = inScope(device, () => (hasBytes(device) ? unpacked(moved) : packed(moved)))
    if (placed !== moved) device.free(moved.qdata.storage)
    return placed as this
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    const options = { outputDtype: dtype }
    return inScope(this.device, () => {
      const { qdata, scale, zeroPoint, blockSize } = unpacked(this)
      const dim = packedDim(blockSize)
      const isOrdered =
        dim < 0 || dim === blockSize.length - 1 || inRows(blockSize, dim) === undefined
      const swap = (part: DenseTensor): DenseTensor => (isOrdered ? part : part.transpose(dim, -1))
      const block = (isOrdered ? undefined : inRows(blockSize, dim)) ?? blockSize
      const parts = [swap(qdata), block, swap(scale), swap(zeroPoint)] as const
      return swap(asDense(dequantizeAffine(...parts, 'int8', options)))
    })
  }
}

/** A block size of ones but along `dim`, with that dimension last. */
function inRows(blockSize: readonly number[], dim: number): readonly number[] | undefined {
  if (blockSize.some((size, d) => d !== dim && size !== 1)) return undefined
  return blockSize.with(dim, 1).with(-1, blockSize[dim] as number)
}

/** Whether codes have a byte each on a device: where they are planned for files, too. */
function hasBytes({ isHost = false, name }: Device): boolean {
  return isHost || name === 'meta'
}

function packed(weight: IntxUnpackedToInt8Tensor): IntxUnpackedToInt8Tensor {
  if (isPacked(weight) || !fillsWords(weight)) return weight
  return withCodes(weight, asDense(packIntx(weight.qdata, bitsOf(weight.targetDtype))))
}

function unpacked(weight: IntxUnpackedToInt8Tensor): IntxUnpackedToInt8Tensor {
  if (!isPacked(weight)) return weight
  const { qdata, blockSize, targetDtype } = weight
  const dim = packedDim(blockSize)
  const codes = asDense(unpackIntx(qdata.transpose(dim, -1), bitsOf(targetDtype)))
  return withCodes(weight, codes.transpose(dim, -1))
}

function withCodes(weight: IntxUnpackedToInt8Tensor, qdata: DenseTensor): IntxUnpackedToInt8Tensor {
  const { scale, zeroPoint, targetDtype, blockSize, dtype, activationQuantization } = weight
  const parts = { qdata, scale, zeroPoint, targetDtype, blockSize, dtype, activationQuantization }
  return new IntxUnpackedToInt8Tensor(parts)
}

/** In files, codes have a byte each. */
/* @__NO_SIDE_EFFECTS__ */
function bytesForm(): StoredForm {
  return {
    get formatName() {
      return IntxUnpackedToInt8Tensor.formatName
    },
    get tensorDataNames() {
      return IntxUnpackedToInt8Tensor.tensorDataNames
    },
    optionalTensorDataNames: [],
    get tensorAttributeNames() {
      return IntxUnpackedToInt8Tensor.tensorAttributeNames
    },
    optionalTensorAttributeNames: [],
    get attributeCodecs() {
      return IntxUnpackedToInt8Tensor.attributeCodecs
    },
    flatten: (tensor) => unpacked(tensor as IntxUnpackedToInt8Tensor).flatten(),
    unflatten: (fields) => new IntxUnpackedToInt8Tensor(fields as unknown as IntxFields),
  }
}

function multiply(x: Tensor, weight: IntxUnpackedToInt8Tensor, bias?: Tensor): Tensor {
  const { qdata, scale, zeroPoint, targetDtype, dtype, activationQuantization } = weight
  const input = linearInput(x, weight, bias, PACKAGE)
  const parts: IntxWeight = [qdata, scale, zeroPoint]
  const form: IntxForm = { bits: bitsOf(targetDtype), dtype }
  return activationQuantization
    ? intxDynamicLinear(input, parts, form, activationQuantization, bias)
    : intxLinear(input, parts, form, bias)
}

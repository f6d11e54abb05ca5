/** @file IntxUnpackedToInt8Tensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  integerCodec,
  isFloatDType,
  listCodec,
  narrowDTypeCodec,
  optionalCodec,
  rejectJson,
  takes,
  type JsonCodec,
  type OpImplementation,
  type StoredForm,
  type Tensor,
} from '@ao/base-tensor'
import {
  bitsLinear,
  bitsOperands,
  BitsTensor,
  weightOpTable,
  type BitsForm,
} from '@ao/quantized-linear'
import { INTX_ACTIVATIONS, type IntxActivation } from './activations.ts'
import {
  bitsOf,
  intxViews,
  isIntxDType,
  PACKAGE,
  type IntxDType,
  type IntxFields,
} from './layout.ts'
import { intxDynamicLinear } from './linear-ops.ts'
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
export class IntxUnpackedToInt8Tensor extends BitsTensor implements IntxFields {
  static override readonly formatName: string = 'IntxUnpackedToInt8Tensor'
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

  declare readonly targetDtype: IntxDType
  declare readonly activationQuantization: IntxActivation | undefined

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: IntxFields) {
    takes('o<targetDtype:z>', fields)
    super(fields, bitsOf(fields.targetDtype), PACKAGE)
  }

  override get form(): BitsForm {
    return { bits: bitsOf(this.targetDtype), isSigned: true, dtype: this.dtype }
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
    const result = new IntxUnpackedToInt8Tensor(quantizeIntx(weight, options)).placed()
    return options.allowNonFinite ? result : result.requireFinite()
  }
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
    flatten: (tensor) => (tensor as IntxUnpackedToInt8Tensor).unpacked().flatten(),
    unflatten: (fields) => new IntxUnpackedToInt8Tensor(fields as unknown as IntxFields),
  }
}

function multiply(x: Tensor, weight: IntxUnpackedToInt8Tensor, bias?: Tensor): Tensor {
  const operands = bitsOperands(x, weight, bias, PACKAGE)
  const { activationQuantization } = weight
  return activationQuantization
    ? intxDynamicLinear(...operands, activationQuantization, bias)
    : bitsLinear(...operands, bias)
}

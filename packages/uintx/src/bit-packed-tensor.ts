/** @file UIntxBitPackedTensor: a weight as gemlite packs it. */

import {
  integerCodec,
  isFloatDType,
  listCodec,
  narrowDTypeCodec,
  ShapeError,
  takes,
  UnsupportedOpError,
  ValueError,
  type JsonCodec,
  type OpImplementation,
  type StoredForm,
  type Tensor,
} from '@ao/base-tensor'
import {
  bitsLinear,
  bitsOperands,
  BitsTensor,
  packedDim,
  weightOpTable,
  type BitsForm,
  type BlockwiseViews,
} from '@ao/quantized-linear'
import {
  fromGemlite,
  gemliteCodec,
  gemliteKwargs,
  toGemlite,
  type GemliteKwargs,
  type GemliteParts,
  type PackingBitwidth,
} from './gemlite.ts'
import { checkBitWidth, fail, PACKAGE, uintxViews, type UintxFields } from './layout.ts'
import { quantizeHqq, quantizeSymmetric8, shiftsOf, zeroPointsOf } from './quantize.ts'

/** The inner tensors and attributes of a {@link UIntxBitPackedTensor}. */
export interface UIntxBitPackedFields extends UintxFields {
  /** What gemlite keeps of the weight as it was quantized; sizes are those of the tensor. */
  readonly gemliteKwargs: GemliteKwargs
}

/** How {@link UIntxBitPackedTensor.fromHp} quantizes. */
export interface UIntxBitPackedOptions {
  /** 4, by HQQ, or 8, around zero with a scale a row; 4 unless given. */
  readonly bitWidth?: 4 | 8 | undefined
  /** Codes of a row that share a scale; all where -1, as they do for 8 bits. 128 unless given. */
  readonly groupSize?: number | undefined
  /** Bits of a number that holds codes in files; gemlite's choice, 32, unless given. */
  readonly packingBitwidth?: PackingBitwidth | null | undefined
  /** Quantizes NaN and infinities instead of refusing them. */
  readonly allowNonFinite?: boolean | undefined
}

const views: BlockwiseViews<UIntxBitPackedFields> =
  /* @__PURE__ */ uintxViews<UIntxBitPackedFields>(
    ({ gemliteKwargs: { packing_bitwidth: packing } }) => ({ packing }),
  )

/**
 * A weight of 4-bit codes in groups, or of 8-bit codes with a scale a row, both without calibration; torchao's
 * `UIntxBitPackedTensor`.
 *
 * Codes have a byte each on the CPU and their own number of bits on other devices. Files hold them as gemlite does.
 */
export class UIntxBitPackedTensor extends BitsTensor implements UIntxBitPackedFields {
  static override readonly formatName: string = 'UIntxBitPackedTensor'
  static override readonly tensorAttributeNames: readonly string[] = [
    ...['gemliteKwargs', 'bitWidth', 'blockSize', 'dtype'],
  ]
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    gemliteKwargs: gemliteCodec,
    bitWidth: integerCodec,
    blockSize: /* @__PURE__ */ listCodec(integerCodec),
    dtype: /* @__PURE__ */ narrowDTypeCodec(isFloatDType),
  }
  static override readonly storedForm: StoredForm = /* @__PURE__ */ gemliteForm()
  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => UIntxBitPackedTensor,
    views,
    linear: (x: Tensor, weight: UIntxBitPackedTensor, bias?: Tensor) =>
      bitsLinear(...bitsOperands(x, weight, bias, PACKAGE), bias),
  })

  declare readonly bitWidth: number
  declare readonly gemliteKwargs: GemliteKwargs

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: UIntxBitPackedFields) {
    takes('o<bitWidth:n gemliteKwargs:o>', fields)
    checkBitWidth(fields.bitWidth, [4, 8])
    super(fields, fields.bitWidth, PACKAGE)
  }

  override get form(): BitsForm {
    return { bits: this.bitWidth, isSigned: this.bitWidth === 8, dtype: this.dtype }
  }

  /**
   * Quantizes a dense weight (N, K); torchao's `UIntxBitPackedTensor.from_hp`, which takes bfloat16 and float16.
   *
   * @throws {@link ShapeError} unless groups divide K, and K is a multiple of 32; {@link ValueError} for options
   * that do not go together, and for a weight with NaN or infinities
   */
  static fromHp(weight: Tensor, options: UIntxBitPackedOptions = {}): UIntxBitPackedTensor {
    takes('to{bitWidth groupSize packingBitwidth allowNonFinite}', weight, options)
    const { bitWidth = 4, packingBitwidth, allowNonFinite } = options
    const { groupSize = bitWidth === 8 ? -1 : 128 } = options
    checkUintxOptions(bitWidth, groupSize, packingBitwidth ?? null)
    checkRows(weight)
    const own = bitWidth === 8 ? quantizeSymmetric8(weight) : quantizeHqq(weight, 4, groupSize)
    const kwargs = gemliteKwargs(
      own,
      weight.shape as [number, number],
      packingBitwidth ?? undefined,
    )
    const { scale, zeroPoint } = own
    // As files hold it, so that nothing changes when it is saved.
    const isShift = kwargs.W_group_mode === 4
    const zero = isShift ? zeroPointsOf(shiftsOf(zeroPoint, scale), scale) : zeroPoint
    const result = new UIntxBitPackedTensor({
      ...own,
      zeroPoint: zero,
      gemliteKwargs: kwargs,
    }).placed()
    return allowNonFinite ? result : result.requireFinite()
  }
}

/** Group sizes that torchao takes; -1 is the whole row. */
const GROUP_SIZES: readonly number[] = [32, 64, 128, 256, 512, 1024, -1]

/** @throws {@link ValueError} for values that torchao refuses */
export function checkUintxOptions(
  bitWidth: number,
  groupSize: number,
  packing: number | null,
): void {
  checkBitWidth(bitWidth, [4, 8])
  const sizes = bitWidth === 8 ? [-1] : GROUP_SIZES
  if (!sizes.includes(groupSize)) {
    const expected = `a groupSize of ${sizes.join(', ')} for ${bitWidth} bits`
    throw fail(ValueError, expected, groupSize)
  }
  if (![8, 16, 32, null].includes(packing)) {
    throw fail(ValueError, 'a packingBitwidth of 8, 16, 32 or null', packing)
  }
}

/** As in gemlite, rows are multiples of 32. */
function checkRows(weight: Tensor): void {
  const { shape } = weight
  if (shape.length === 2 && (shape[1] as number) % 32 === 0) return
  throw fail(ShapeError, 'a weight (N, K) with K a multiple of 32', shape)
}

/** In files, parts are as gemlite has them. */
/* @__NO_SIDE_EFFECTS__ */
function gemliteForm(): StoredForm {
  return {
    formatName: 'UIntxBitPackedTensor',
    tensorDataNames: ['packedWeight', 'scale', 'zeroPoint'],
    optionalTensorDataNames: [],
    tensorAttributeNames: ['gemliteKwargs', 'bitWidth', 'groupSize', 'dtype'],
    optionalTensorAttributeNames: [],
    attributeCodecs: {
      gemliteKwargs: gemliteCodec,
      bitWidth: integerCodec,
      groupSize: integerCodec,
      dtype: narrowDTypeCodec(isFloatDType),
    },
    flatten: (tensor) => {
      const weight = (tensor as UIntxBitPackedTensor).unpacked()
      const { gemliteKwargs: kwargs, bitWidth, blockSize, dtype, shape } = weight
      if (shape.length !== 2 || packedDim(blockSize) !== 1) {
        const cure = 'Transpose it back, or take a slice in place of a row.'
        throw fail(
          UnsupportedOpError,
          'a weight (N, K) to be stored',
          `[${shape.join(', ')}]`,
          cure,
        )
      }
      const [n, k] = shape as [number, number]
      const own = { ...kwargs, in_features: k, out_features: n }
      const tensors = { ...toGemlite(weight, own) }
      const groupSize = blockSize[1] as number
      return { tensors, attributes: { gemliteKwargs: own, bitWidth, groupSize, dtype } }
    },
    unflatten: (stored) => {
      const fields = stored as unknown as GemliteParts & StoredAttributes
      const { gemliteKwargs: kwargs, bitWidth, groupSize, dtype } = fields
      checkBitWidth(bitWidth, [4, 8])
      const parts = fromGemlite(fields, kwargs, bitWidth, groupSize)
      return new UIntxBitPackedTensor({ ...parts, gemliteKwargs: kwargs, bitWidth, dtype })
    },
  }
}

interface StoredAttributes extends Pick<
  UIntxBitPackedFields,
  'gemliteKwargs' | 'bitWidth' | 'dtype'
> {
  readonly groupSize: number
}

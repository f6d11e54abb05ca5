/** @file UintxTensor: a weight of codes of 1 to 7 bits, in shards where files hold it. */

import {
  asDense,
  cast,
  integerCodec,
  isFloatDType,
  listCodec,
  narrowDTypeCodec,
  takes,
  type DenseTensor,
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
  type BlockwiseViews,
} from '@ao/quantized-linear'
import { checkBitWidth, PACKAGE, uintxViews, type UintxFields } from './layout.ts'
import { quantizeAsymmetric, quantizeHqq } from './quantize.ts'
import { packUintx, shardsOf, unpackUintx, type ShardWidth } from './shards.ts'

/** The inner tensors and attributes of a {@link UintxTensor}. */
export interface UintxTensorFields extends UintxFields {
  /** The dimension along which files hold codes of a byte; negative ones count from the end. */
  readonly packDim: number
}

/** How {@link UintxTensor.fromHp} quantizes. */
export interface UintxTensorOptions {
  /** 1 to 7; 4 unless given. */
  readonly bitWidth?: number | undefined
  /** Codes of a row that share a scale; all where -1. 64 unless given. */
  readonly groupSize?: number | undefined
  /** The dimension to pack along in files; the last unless given. */
  readonly packDim?: number | undefined
  /** Whether HQQ chooses scales and zero points, of weights (N, K); false unless given. */
  readonly useHqq?: boolean | undefined
  /** Quantizes NaN and infinities instead of refusing them. */
  readonly allowNonFinite?: boolean | undefined
}

const BITS = [1, 2, 3, 4, 5, 6, 7]
const views: BlockwiseViews<UintxTensorFields> = /* @__PURE__ */ uintxViews<UintxTensorFields>(
  ({ packDim }) => ({ packDim }),
)

/** Where files hold each shard. */
const SHARDS = { 4: 'int4Shard', 2: 'int2Shard', 1: 'int1Shard' } as const

/**
 * A weight of codes of 1 to 7 bits from 0 on, with a scale and a zero point for each group: what torchao's
 * `UIntXWeightOnlyConfig` made until 0.16, of `UintxLayout`.
 *
 * Codes have a byte each on the CPU and their own number of bits on other devices; files hold them in shards.
 */
export class UintxTensor extends BitsTensor implements UintxTensorFields {
  static override readonly formatName: string = 'UintxTensor'
  static override readonly tensorAttributeNames: readonly string[] = [
    ...['bitWidth', 'packDim', 'blockSize', 'dtype'],
  ]
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    bitWidth: integerCodec,
    packDim: integerCodec,
    blockSize: /* @__PURE__ */ listCodec(integerCodec),
    dtype: /* @__PURE__ */ narrowDTypeCodec(isFloatDType),
  }
  static override readonly storedForm: StoredForm = /* @__PURE__ */ shardsForm()
  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => UintxTensor,
    views,
    linear: (x: Tensor, weight: UintxTensor, bias?: Tensor) =>
      bitsLinear(...bitsOperands(x, weight, bias, PACKAGE), bias),
  })

  declare readonly bitWidth: number
  declare readonly packDim: number

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: UintxTensorFields) {
    takes('o<bitWidth:n packDim:n>', fields)
    checkBitWidth(fields.bitWidth, BITS)
    super(fields, fields.bitWidth, PACKAGE)
  }

  override get form(): BitsForm {
    return { bits: this.bitWidth, isSigned: false, dtype: this.dtype }
  }

  /**
   * Quantizes a dense weight (N, K), or (E, N, K) for experts.
   *
   * @throws {@link ShapeError} unless groups divide K, and the size along `packDim` is a multiple of 8;
   * {@link ValueError} for other bits, and for a weight with NaN or infinities
   */
  static fromHp(weight: Tensor, options: UintxTensorOptions = {}): UintxTensor {
    takes('to{bitWidth groupSize packDim useHqq allowNonFinite}', weight, options)
    const { bitWidth = 4, groupSize = 64, packDim = -1, useHqq = false, allowNonFinite } = options
    checkBitWidth(bitWidth, BITS)
    const quantize = useHqq ? quantizeHqq : quantizeAsymmetric
    const own = quantize(weight, bitWidth, groupSize)
    const result = new UintxTensor({ ...own, packDim }).placed()
    return allowNonFinite ? result : result.requireFinite()
  }
}

/** In files, codes lie in shards. */
/* @__NO_SIDE_EFFECTS__ */
function shardsForm(): StoredForm {
  return {
    formatName: 'UintxTensor',
    tensorDataNames: ['scale', 'zeroPoint'],
    optionalTensorDataNames: Object.values(SHARDS),
    tensorAttributeNames: ['bitWidth', 'packDim', 'blockSize', 'dtype'],
    optionalTensorAttributeNames: [],
    get attributeCodecs() {
      return UintxTensor.attributeCodecs
    },
    flatten: (tensor) => {
      const weight = (tensor as UintxTensor).unpacked()
      const { qdata, scale, zeroPoint, bitWidth, packDim, blockSize, dtype } = weight
      const shards = packUintx(qdata, bitWidth, packDim)
      const widths = shardsOf(bitWidth).map(([width]) => width)
      const named = shards.map((shard, i) => [SHARDS[widths[i] as ShardWidth], asDense(shard)])
      const tensors = { scale, zeroPoint, ...Object.fromEntries(named) } as Record<
        string,
        DenseTensor
      >
      return { tensors, attributes: { bitWidth, packDim, blockSize, dtype } }
    },
    unflatten: (stored) => {
      const fields = stored as unknown as UintxTensorFields & Record<string, DenseTensor>
      const { scale, zeroPoint, bitWidth, packDim, blockSize, dtype } = fields
      const shards = shardsOf(bitWidth).map(([width]) => fields[SHARDS[width]])
      const codes = unpackUintx(shards as readonly Tensor[], bitWidth, packDim)
      const qdata = asDense(cast(codes, 'int8'))
      return new UintxTensor({ qdata, scale, zeroPoint, bitWidth, packDim, blockSize, dtype })
    },
  }
}

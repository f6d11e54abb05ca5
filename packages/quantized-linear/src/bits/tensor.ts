/** @file The tensor class of weights of a few bits: their codes are packed on devices, and bytes on the CPU. */

import {
  asDense,
  inScope,
  takes,
  TensorSubclass,
  type DenseTensor,
  type Device,
  type FloatDType,
  type Storage,
  type Tensor,
} from '@ao/base-tensor'
import { dequantizeAffine } from '@ao/quant-primitives'
import { packedDim } from '../blockwise.ts'
import { linearInput } from '../weight-ops.ts'
import { checkBits, fillsWords, isPackedBits, shapeOfBits, type BitsFields } from './layout.ts'
import { type BitsForm, type BitsWeight } from './linear.ts'
import { packBits, unpackBits } from './pack.ts'

/** A weight of codes of a few bits. A format adds how many they are, and what its files hold. */
export abstract class BitsTensor extends TensorSubclass implements BitsFields {
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale', 'zeroPoint']

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor
  declare readonly zeroPoint: DenseTensor
  declare readonly blockSize: readonly number[]

  /**
   * @param fields - all fields of the class
   * @throws {@link ShapeError} or {@link DTypeError} unless the parts fit each other
   */
  constructor(fields: BitsFields, bits: number, packageName: string) {
    takes('o<qdata:t scale:t zeroPoint:t blockSize:l dtype:z>nx', fields, bits, packageName)
    checkBits(fields, bits, packageName)
    const blockSize = Object.freeze([...fields.blockSize])
    super({ ...fields, blockSize }, shapeOfBits(fields, bits), fields.dtype)
  }

  /** What products and kernels need to know beside the parts. */
  abstract get form(): BitsForm

  /** The parts that products and kernels take. */
  get parts(): BitsWeight {
    return [this.qdata, this.scale, this.zeroPoint]
  }

  override async to(device: Device): Promise<this> {
    takes('o<run:f allocate:f>', device)
    const moved = await super.to(device)
    if (moved === this) return this
    const placed = inScope(device, () => moved.placed())
    const kept = new Set(placed.#storages())
    for (const storage of moved.#storages()) if (!kept.has(storage)) device.free(storage)
    return placed
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    const options = { outputDtype: dtype }
    return inScope(this.device, () => {
      const { qdata, scale, zeroPoint, blockSize } = this.unpacked()
      const dim = packedDim(blockSize)
      const isOrdered =
        dim < 0 || dim === blockSize.length - 1 || inRows(blockSize, dim) === undefined
      const swap = (part: DenseTensor): DenseTensor => (isOrdered ? part : part.transpose(dim, -1))
      const block = (isOrdered ? undefined : inRows(blockSize, dim)) ?? blockSize
      const parts = [swap(qdata), block, swap(scale), swap(zeroPoint)] as const
      return swap(asDense(dequantizeAffine(...parts, 'int8', options)))
    })
  }

  /** The same weight in the form of its device: bytes where files are planned, too, and words elsewhere. */
  placed(): this {
    const { isHost = false, name } = this.device
    if (isHost || name === 'meta') return this.unpacked()
    const { bits } = this.form
    if (isPackedBits(this) || !fillsWords(this, bits)) return this
    const qdata = asDense(packBits(this.qdata, bits))
    const [scale, zeroPoint] = [alongN(this.scale), alongN(this.zeroPoint)]
    return this.#with({ qdata, scale, zeroPoint })
  }

  /** The same weight with a byte for each code. */
  unpacked(): this {
    if (!isPackedBits(this)) return this
    const { bits, isSigned } = this.form
    const dim = packedDim(this.blockSize)
    const codes = asDense(unpackBits(this.qdata.transpose(dim, -1), bits, isSigned))
    const [scale, zeroPoint] = [this.scale.contiguous(), this.zeroPoint.contiguous()]
    return this.#with({ qdata: codes.transpose(dim, -1), scale, zeroPoint })
  }

  #with(parts: Pick<BitsFields, 'qdata' | 'scale' | 'zeroPoint'>): this {
    const { tensors, attributes } = this.flatten()
    const type = this.constructor as new (fields: object) => this
    return new type({ ...attributes, ...tensors, ...parts })
  }

  #storages(): Storage[] {
    return [this.qdata.storage, this.scale.storage, this.zeroPoint.storage]
  }
}

/**
 * What an op on `x` and a weight takes.
 *
 * @throws {@link UnsupportedOpError} for a weight that is not (N, K) with its groups along K
 * @throws {@link ShapeError} for a bias of another size than N
 */
export function bitsOperands(
  x: Tensor,
  weight: BitsTensor,
  bias: Tensor | undefined,
  packageName: string,
): readonly [x: Tensor, weight: BitsWeight, form: BitsForm] {
  return [linearInput(x, weight, bias, packageName), weight.parts, weight.form]
}

/** (N, K / g) whose neighbours along N lie together: kernels read those of four rows at once. */
function alongN(part: DenseTensor): DenseTensor {
  const takesFours = part.ndim === 2 && (part.shape[0] as number) % 4 === 0
  return takesFours ? part.transpose(0, 1).contiguous().transpose(0, 1) : part
}

/** A block size of ones but along `dim`, with that dimension last. */
function inRows(blockSize: readonly number[], dim: number): readonly number[] | undefined {
  if (blockSize.some((size, d) => d !== dim && size !== 1)) return undefined
  return blockSize.with(dim, 1).with(-1, blockSize[dim] as number)
}

/** @file A format and configs that stand for any, so that these tests need no format package. */

import {
  cpu,
  DenseTensor,
  fromArray,
  hostFloat32,
  implement,
  isDenseTensor,
  isTensorSubclass,
  linear,
  meta,
  newArray,
  skip,
  TensorSubclass,
  ValueError,
  zeros,
  type ConfigJsonContext,
  type CpuStorage,
  type Device,
  type Json,
  type JsonCodec,
  type Op,
  type OpImplementation,
  type QuantizationConfig,
  type QuantizationConfigType,
  type QuantizeContext,
  type Skipped,
  type Storage,
  type StoredDType,
  type Tensor,
  type TypedArray,
} from '@ao/base-tensor'

interface Fields {
  readonly qdata: DenseTensor
  readonly step: number
  readonly dtype: StoredDType
}

/** Multiples of one step, as int8. */
export class StepTensor extends TensorSubclass {
  static override readonly formatName: string = 'StepTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata']
  static override readonly tensorAttributeNames: readonly string[] = ['step', 'dtype']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {}
  static override readonly ops: readonly OpImplementation[] = [
    implement(linear, (input, weight, bias) =>
      linear(input, (weight as StepTensor).dequantize(), bias),
    ),
  ]
  declare readonly qdata: DenseTensor
  declare readonly step: number

  constructor(fields: Fields) {
    super({ ...fields }, fields.qdata.shape, fields.dtype)
  }

  override dequantize(): DenseTensor {
    const values = hostFloat32(this.qdata).map((code) => code * this.step)
    return fromArray(values, this.shape, 'float32')
  }
}

/** Quantizes to multiples of `step`; skips rows of odd length; refuses rows of 13. */
export class StepConfig implements QuantizationConfig {
  static readonly configName: string = 'StepConfig'
  static readonly configVersion: number = 2
  readonly configName: string = 'StepConfig'
  readonly step: number
  /** Names that this config was asked about. */
  readonly asked: string[] = []

  constructor(step = 0.5) {
    this.step = step
  }

  quantizeTensor(weight: Tensor, { name }: QuantizeContext): Tensor | Skipped {
    this.asked.push(name)
    const width = weight.shape.at(-1) as number
    if (width === 13) {
      throw new ValueError({ package: '@ao/step', expected: 'rows of another length', got: '13' })
    }
    if (width % 2 === 1) return skip(`its rows have ${width} elements, an odd number`)
    const { shape, dtype, device } = weight
    if (device === meta)
      return new StepTensor({ qdata: zeros(shape, 'int8', meta), step: this.step, dtype })
    const codes = Int8Array.from(hostFloat32(weight), (value) => Math.round(value / this.step))
    return new StepTensor({ qdata: fromArray(codes, shape, 'int8'), step: this.step, dtype })
  }

  toJSON(): Json {
    return { _type: 'StepConfig', _version: 2, _data: { step: this.step } }
  }

  static fromJSON(data: Json, _context: ConfigJsonContext): StepConfig {
    return new StepConfig((data as { step: number }).step)
  }
}

/** A config class of any name that keeps its JSON as it is. */
export function keepingConfig(configName: string, configVersion: number): QuantizationConfigType {
  return {
    configName,
    configVersion,
    fromJSON: (data) => ({
      configName,
      quantizeTensor: (weight) => weight,
      toJSON: () => ({ _type: configName, _version: configVersion, _data: data }),
    }),
  }
}

/** A device that computes as the CPU does, has scopes, and remembers the storage that is in use. */
export class FarDevice implements Device {
  readonly name: string = 'far'
  readonly used: Set<Storage> = new Set()
  #made: Set<Storage> | undefined

  run<Args extends readonly unknown[], Result>(op: Op<Args, Result>, args: Args): Result {
    const near = args.map((arg) => (isDenseTensor(arg) ? moved(arg, cpu) : arg))
    const result = op.reference(...(near as readonly unknown[] as Args))
    if (!isDenseTensor(result)) return result
    const { array } = result.storage as CpuStorage
    return new DenseTensor(this.upload(result.dtype, array), result.shape) as Result
  }

  allocate(dtype: StoredDType, length: number): Storage {
    return this.upload(dtype, newArray(dtype, length))
  }

  upload(dtype: StoredDType, array: TypedArray): Storage {
    const storage = { device: this, dtype, length: array.length, array }
    this.used.add(storage)
    this.#made?.add(storage)
    return storage
  }

  download(storage: Storage, offset: number, length: number): Promise<TypedArray> {
    return Promise.resolve((storage as CpuStorage).array.slice(offset, offset + length))
  }

  free(storage: Storage): void {
    this.used.delete(storage)
  }

  scope<T>(run: () => T): T {
    const outer = this.#made
    const made = (this.#made = new Set<Storage>())
    const result = run()
    this.#made = outer
    const parts = isTensorSubclass(result) ? Object.values(result.flatten().tensors) : [result]
    for (const part of parts) if (isDenseTensor(part)) made.delete(part.storage)
    for (const storage of made) this.free(storage)
    return result
  }
}

function moved(tensor: DenseTensor, device: Device): DenseTensor {
  const storage = { ...tensor.storage, device }
  return new DenseTensor(storage, tensor.shape, tensor.strides, tensor.offset)
}

/** @file Stand-ins for torchao's classes, and files made by hand. */

import {
  booleanCodec,
  type DenseTensor,
  dtypeCodec,
  enumCodec,
  fromArray,
  hostArray,
  integerCodec,
  isTensorSubclass,
  listCodec,
  optionalCodec,
  recordCodec,
  TensorSubclass,
  zeros,
  type Json,
  type JsonCodec,
  type StoredDType,
  type Tensor,
  type TensorSubclassType,
} from '@ao/base-tensor'
import { bytesSource, openSafetensors, type SafetensorsFile } from '../src/index.ts'
import { pythonJson } from '../src/python-json.ts'

const anyJson: JsonCodec<unknown> = { encode: (value) => value as Json, decode: (json) => json }
const blockSizeCodec = listCodec(integerCodec)

const perRowCodec = recordCodec<{ dim: number }>('PerRow', {
  dim: { jsonName: 'dim', codec: integerCodec },
})
const actQuantKwargsCodec = recordCodec<{
  granularity: { dim: number }
  mappingType: 'SYMMETRIC' | 'ASYMMETRIC'
  reduceRange: boolean
}>('QuantizeTensorToInt8Kwargs', {
  granularity: { jsonName: 'granularity', codec: perRowCodec },
  mappingType: {
    jsonName: 'mapping_type',
    codec: enumCodec('MappingType', ['SYMMETRIC', 'ASYMMETRIC']),
  },
  reduceRange: { jsonName: 'reduce_range', codec: booleanCodec },
})

abstract class StandIn extends TensorSubclass {
  declare readonly qdata: DenseTensor

  constructor(fields: Record<string, any>) {
    super(fields, fields['shape'] ?? fields['qdata'].shape, fields['dtype'] ?? 'bfloat16')
  }

  override dequantize(): DenseTensor {
    return zeros(this.shape, this.dtype)
  }
}

export class Int8Tensor extends StandIn {
  static override readonly formatName: string = 'Int8Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly optionalTensorDataNames: readonly string[] = ['zeroPoint']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'dtype']
  static override readonly optionalTensorAttributeNames: readonly string[] = [
    'actQuantKwargs',
    'reduceRange',
  ]
  static override readonly attributeCodecs: Record<string, JsonCodec<any>> = {
    blockSize: blockSizeCodec,
    dtype: dtypeCodec,
    actQuantKwargs: optionalCodec(actQuantKwargsCodec),
    reduceRange: booleanCodec,
  }
  declare readonly reduceRange: boolean | undefined
}

export class Float8Tensor extends StandIn {
  static override readonly formatName: string = 'Float8Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly optionalTensorAttributeNames: readonly string[] = [
    'blockSize',
    'mmConfig',
    'actQuantKwargs',
    'kernelPreference',
    'dtype',
  ]
  static override readonly attributeCodecs: Record<string, JsonCodec<any>> = {
    blockSize: blockSizeCodec,
    mmConfig: anyJson,
    actQuantKwargs: anyJson,
    kernelPreference: enumCodec('KernelPreference', ['AUTO']),
    dtype: dtypeCodec,
  }
}

export class IntxUnpackedToInt8Tensor extends StandIn {
  static override readonly formatName: string = 'IntxUnpackedToInt8Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale', 'zeroPoint']
  static override readonly tensorAttributeNames: readonly string[] = [
    'targetDtype',
    'blockSize',
    'dtype',
    'activationQuantization',
  ]
  static override readonly attributeCodecs: Record<string, JsonCodec<any>> = {
    targetDtype: dtypeCodec,
    blockSize: blockSizeCodec,
    dtype: dtypeCodec,
    activationQuantization: anyJson,
  }
}

export class Int4Tensor extends StandIn {
  static override readonly formatName: string = 'Int4Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale', 'zeroPoint']
  static override readonly optionalTensorDataNames: readonly string[] = ['actPreScale']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape']
  static override readonly optionalTensorAttributeNames: readonly string[] = ['activationDtype']
  static override readonly attributeCodecs: Record<string, JsonCodec<any>> = {
    blockSize: blockSizeCodec,
    shape: blockSizeCodec,
    activationDtype: dtypeCodec,
  }
}

export class Int4TilePackedTo4dTensor extends StandIn {
  static override readonly formatName: string = 'Int4TilePackedTo4dTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scaleAndZero']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape']
  static override readonly attributeCodecs: Record<string, JsonCodec<any>> = {
    blockSize: blockSizeCodec,
    shape: blockSizeCodec,
  }
}

export const FORMATS: readonly TensorSubclassType[] = [
  Int8Tensor,
  Float8Tensor,
  IntxUnpackedToInt8Tensor,
  Int4Tensor,
  Int4TilePackedTo4dTensor,
] as never

/** Dense bytes that count up, so that every tensor differs. */
export function counting(
  shape: readonly number[],
  dtype: StoredDType = 'uint8',
  first = 0,
): DenseTensor {
  const tensor = zeros(shape, dtype)
  const bytes = bytesOf(tensor)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (first + i) % 251
  return tensor
}

/** An Int8Tensor of shape `[rows, columns]` as torchao's Int8WeightOnlyConfig gives. */
export function int8Tensor(rows: number, columns: number, first = 0): Int8Tensor {
  return new Int8Tensor({
    qdata: counting([rows, columns], 'int8', first),
    scale: counting([rows, 1], 'float32', first),
    zeroPoint: zeros([rows, 1], 'int8'),
    blockSize: [1, columns],
    dtype: 'bfloat16',
    actQuantKwargs: undefined,
    reduceRange: false,
  })
}

/** The bytes of a tensor of the CPU, or of all parts of a quantized one. */
export function bytesOf(tensor: Tensor): Uint8Array {
  if (isTensorSubclass(tensor)) {
    const parts = Object.values(tensor.flatten().tensors).map(bytesOf)
    return new Uint8Array(parts.flatMap((part) => [...part]))
  }
  const array = hostArray(tensor)
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

export function bytes(...values: number[]): DenseTensor {
  return fromArray(Uint8Array.from(values), [values.length], 'uint8')
}

/** A file from the text of its header and its data; unpadded, so that any text can be tried. */
export function handMade(
  header: string | Uint8Array,
  data: Uint8Array | number = 0,
): Uint8Array<ArrayBuffer> {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const payload = typeof data === 'number' ? new Uint8Array(data) : data
  const file = new Uint8Array(8 + text.length + payload.length)
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true)
  file.set(text, 8)
  file.set(payload, 8 + text.length)
  return file
}

/** A tensor's entry in a header, valid or not. */
export const tensor = (dtype: string, shape: unknown, begin: unknown, end: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] })

/** The header of a file of one such tensor. */
export const one = (...args: Parameters<typeof tensor>): string => `{"a":${tensor(...args)}}`

/** The header of a file whose tensor has a field that no reader knows. */
export const unknown = (value: string): string =>
  `{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"z":${value}}}`

export const nested = (levels: number): string => unknown('['.repeat(levels) + ']'.repeat(levels))

export const openBytes = (file: Uint8Array): Promise<SafetensorsFile> =>
  openSafetensors(bytesSource(file, 'x.safetensors'))

/** Whether two runs of bytes are equal; matchers that compare element by element are slow. */
export function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0
}

/** The header and the data of a file, apart. */
export function splitFile(file: Uint8Array): { header: string; data: Uint8Array } {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
  return {
    header: new TextDecoder().decode(file.subarray(8, 8 + length)),
    data: file.subarray(8 + length),
  }
}

/** The message of what `action` throws; fails when it does not. */
export async function messageOf(action: () => unknown): Promise<string> {
  try {
    await action()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('Nothing was thrown')
}

/** Runs `action` without the rights of root, which no permission holds back. */
export async function asNobody<T>(action: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return action()
  process.seteuid?.(65534)
  try {
    return await action()
  } finally {
    process.seteuid?.(0)
  }
}

/** Metadata in which the description of one tensor is changed. */
export const withEntry = (
  metadata: ReadonlyMap<string, string>,
  name: string,
  change: (json: any) => unknown,
): Map<string, string> =>
  new Map(metadata).set(name, pythonJson(change(JSON.parse(metadata.get(name) as string)) as Json))

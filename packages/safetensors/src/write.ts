/** @file Writing dense tensors to a file, or to bytes. */

import { entriesOf } from './entries.ts'
import { asDense, hostArray, type DenseTensor, type Tensor, takes } from '@ao/base-tensor'
import type { ByteSink } from './byte-sink.ts'
import { fileDTypeOf } from './file-dtype.ts'
import { planLayout, type FileLayout, type PlannedTensor } from './layout.ts'

/** Tensors by name, in any order: files have an order of their own. */
export type DenseEntries = Iterable<readonly [name: string, tensor: Tensor]>

/** Metadata as a map or as an object. Values are strings; others go in as their JSON text. */
export type Metadata = ReadonlyMap<string, string> | Readonly<Record<string, string>>

/**
 * A whole safetensors file as bytes, of tensors on the CPU. Larger ones: {@link writeSafetensors}.
 *
 * @throws {@link DTypeError} for a tensor subclass: take it apart with `flattenTensorStateDict`
 */
export function serializeSafetensors(
  entries: DenseEntries,
  metadata: Metadata = {},
): Uint8Array<ArrayBuffer> {
  takes('o', entries)
  const { tensors, layout } = planFile(entries, metadata)
  const file = new Uint8Array(layout.size)
  file.set(layout.header)
  for (const [name, { offset }] of layout.tensors) {
    file.set(asBytes(hostArray(tensors.get(name) as DenseTensor)), offset)
  }
  return file
}

/**
 * Writes a safetensors file tensor by tensor, of tensors on any device, and commits it. After an
 * error the sink is aborted, and an older file is as it was.
 *
 * @throws {@link DTypeError} for a tensor subclass: take it apart with `flattenTensorStateDict`
 */
export async function writeSafetensors(
  sink: ByteSink,
  entries: DenseEntries,
  metadata: Metadata = {},
): Promise<void> {
  takes('o<write:f commit:f>o', sink, entries)
  try {
    const { tensors, layout } = planFile(entries, metadata)
    await sink.write(0, layout.header)
    for (const [name, { offset }] of layout.tensors) {
      await sink.write(offset, await readTensorBytes(tensors.get(name) as DenseTensor))
    }
    await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/** A tensor's elements as they lie in a file, from any device. */
export async function readTensorBytes(tensor: DenseTensor): Promise<Uint8Array> {
  return asBytes(tensor.device.isHost ? hostArray(tensor) : await tensor.data())
}

/** What a layout needs to know of a tensor. */
export function plannedTensor(tensor: DenseTensor): PlannedTensor {
  return { dtype: fileDTypeOf(tensor.dtype), shape: tensor.shape }
}

export function metadataMap(metadata: Metadata): ReadonlyMap<string, string> {
  takes('o', metadata)
  // A Map of another realm, such as a frame, is none of this one.
  const isMap = Object.prototype.toString.call(metadata) === '[object Map]'
  return isMap ? (metadata as ReadonlyMap<string, string>) : new Map(Object.entries(metadata))
}

interface PlannedFile {
  readonly tensors: ReadonlyMap<string, DenseTensor>
  readonly layout: FileLayout
}

function planFile(entries: DenseEntries, metadata: Metadata): PlannedFile {
  const dense = [...entriesOf(entries)].map(
    ([name, tensor]) => [name, asDense(tensor, name)] as const,
  )
  const planned = dense.map(([name, tensor]) => [name, plannedTensor(tensor)] as const)
  return { tensors: new Map(dense), layout: planLayout(planned, metadataMap(metadata)) }
}

function asBytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

/** @file Which bytes of which buffer a tensor is. */

import { DeviceError, itemSize, type DenseTensor, type Storage } from '@ao/base-tensor'
import type { BufferRange } from './bind-groups.ts'
import type { GPUStorage } from './buffers.ts'
import type { TensorRange } from './kernel.ts'

const PACKAGE = '@ao/kernels-webgpu'

/** What a program is to see. */
export function rangeOf(item: DenseTensor | TensorRange): BufferRange {
  if ('tensor' in item) {
    const { storage, offset } = item.tensor
    const start = offset * itemSize(storage.dtype) + item.offset
    return { allocation: live(storage).allocation, offset: start, size: bindingSize(item.size) }
  }
  const offset = item.offset * itemSize(item.dtype)
  return { allocation: live(item.storage).allocation, offset, size: bindingSize(item.nbytes) }
}

/** All of a storage. */
export function wholeOf({ allocation }: GPUStorage): BufferRange {
  return { allocation, offset: 0, size: allocation.size }
}

/** @throws {@link DeviceError} for storage that was freed */
export function live(storage: Storage): GPUStorage {
  const own = storage as GPUStorage
  if (!own.allocation.isFree) return own
  throw new DeviceError({
    package: PACKAGE,
    expected: 'a tensor whose memory is in use',
    got: 'one that was freed',
    cure: 'Return tensors from a scope to keep them, and do not use what was freed.',
  })
}

// Programs may read 16 bytes at a time, to the end of what they see; buffers are longer than that.
const bindingSize = (bytes: number): number => Math.max(Math.ceil(bytes / 16) * 16, 16)

// Copies and writes go by four bytes.
const paddedSize = (bytes: number): number => Math.max(Math.ceil(bytes / 4) * 4, 4)

/** Bytes as a queue takes them: by fours. */
export function padded(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes
  const out = new Uint8Array(paddedSize(bytes.length))
  out.set(bytes)
  return out
}

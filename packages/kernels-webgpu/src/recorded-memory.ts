/** @file The memory that recorded work reads and writes whenever it is done again. */

import { DeviceError, type DenseTensor } from '@ao/base-tensor'
import type { BufferPool, GPUStorage } from './buffers.ts'
import type { TensorRange } from './kernel.ts'

export interface RecordedMemory {
  /** Where what it makes lies: nobody else gets memory of it. */
  readonly pool: BufferPool
  /**
   * What was there before, held so that the garbage collector leaves it. It may be freed all the same: as
   * the cache of a model that grew, or a weight that was quantized meanwhile.
   */
  readonly captured: Set<GPUStorage>
  isDisposed: boolean
}

/** Notes what of `bind` was there before the work that is recorded. */
export function capture(
  { pool, captured }: RecordedMemory,
  bind: readonly (DenseTensor | TensorRange)[],
): void {
  for (const item of bind) {
    const { storage } = 'tensor' in item ? item.tensor : item
    const own = storage as GPUStorage
    if (own.allocation.pool !== pool) captured.add(own)
  }
}

/** Whether all memory that the work needs is still its own. */
export function isCurrent({ captured, isDisposed }: RecordedMemory): boolean {
  if (isDisposed) return false
  for (const { allocation } of captured) if (allocation.isFree) return false
  return true
}

/** @throws {@link DeviceError} unless it {@link isCurrent} */
export function checkCurrent(memory: RecordedMemory): void {
  if (isCurrent(memory)) return
  throw new DeviceError({
    package: '@ao/kernels-webgpu',
    expected: 'all memory that recorded work reads or writes to be in use',
    got: memory.isDisposed ? 'a recording that was disposed' : 'a tensor that was freed since',
    cure: 'Record it again: `isCurrent` tells when.',
  })
}

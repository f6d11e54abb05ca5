/** @file Times of kernels, by the GPU's own clock. */

import { DeviceError } from '@ao/base-tensor'
import type { CommandQueue, PassTimer } from './commands.ts'

/** How long one kernel took. */
export interface KernelTiming {
  readonly kernel: string
  readonly nanoseconds: number
}

const MAX_PASSES = 2048 // a query set has 4096 timestamps at most

/** Runs `run` with a pass and two timestamps for each dispatch; at most 2048 of them are timed. */
export async function profile(
  gpu: GPUDevice,
  queue: CommandQueue,
  run: () => void,
): Promise<KernelTiming[]> {
  if (!gpu.features.has('timestamp-query')) {
    throw new DeviceError({
      package: '@ao/kernels-webgpu',
      expected: 'a GPU with timestamp queries',
      got: 'one without',
    })
  }
  const querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 * MAX_PASSES })
  const bytes = 16 * MAX_PASSES
  const resolved = gpu.createBuffer({ size: bytes, usage: 0x200 | 0x04 }) // QUERY_RESOLVE | COPY_SRC
  const staging = gpu.createBuffer({ size: bytes, usage: 0x01 | 0x08 }) // MAP_READ | COPY_DST
  const names: string[] = []
  const timer: PassTimer = {
    next(name) {
      const at = Math.min(names.length, MAX_PASSES - 1)
      names.push(name)
      return { querySet, beginningOfPassWriteIndex: 2 * at, endOfPassWriteIndex: 2 * at + 1 }
    },
    resolve(encoder) {
      encoder.resolveQuerySet(querySet, 0, 2 * MAX_PASSES, resolved, 0)
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes)
    },
  }
  queue.timer = timer
  try {
    run()
    await queue.flush()
    await staging.mapAsync(0x01)
    const stamps = new BigUint64Array(staging.getMappedRange())
    return names.slice(0, MAX_PASSES).map((kernel, i) => ({
      kernel,
      nanoseconds: Number((stamps[2 * i + 1] as bigint) - (stamps[2 * i] as bigint)),
    }))
  } finally {
    queue.timer = undefined
    for (const part of [querySet, resolved, staging]) part.destroy()
  }
}

/** @file Times of kernels, by the GPU's own clock. */

import { DeviceError, takes } from '@ao/base-tensor'
import type { PassTimer } from './passes.ts'
import type { WebGPUDevice } from './device.ts'

/** How long one kernel took. */
export interface KernelTiming {
  readonly kernel: string
  readonly nanoseconds: number
}

const MAX_PASSES = 2048 // a query set has 4096 timestamps at most

/**
 * Time on the GPU of each kernel that `run` calls, in order. Each runs in a pass of its own; at most 2048
 * of them are timed.
 *
 * @throws {@link DeviceError} on GPUs without timestamp queries
 */
export async function profile(device: WebGPUDevice, run: () => void): Promise<KernelTiming[]> {
  takes('o<run:f explain:f>f', device, run)
  const { names, stamps } = await timestamps(device, run, true)
  return names.map((kernel, i) => ({ kernel, nanoseconds: between(stamps, 2 * i, 2 * i + 1) }))
}

/**
 * Nanoseconds on the GPU from the begin of the first kernel that `run` calls to the end of the last, in
 * passes as they usually are.
 *
 * @throws {@link DeviceError} on GPUs without timestamp queries
 */
export async function elapsed(device: WebGPUDevice, run: () => void): Promise<number> {
  takes('o<run:f explain:f>f', device, run)
  const { names, stamps } = await timestamps(device, run, false)
  return names.length === 0 ? 0 : between(stamps, 0, 2 * names.length - 1)
}

const between = (stamps: BigUint64Array, from: number, to: number): number =>
  Number((stamps[to] as bigint) - (stamps[from] as bigint))

async function timestamps(
  device: WebGPUDevice,
  run: () => void,
  isPerDispatch: boolean,
): Promise<{ names: string[]; stamps: BigUint64Array }> {
  const { gpu } = device
  if (!device.capabilities.timestamps) {
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
    isPerDispatch,
    next(name) {
      const at = Math.min(names.length, MAX_PASSES - 1)
      if (names.length < MAX_PASSES) names.push(name)
      return { querySet, beginningOfPassWriteIndex: 2 * at, endOfPassWriteIndex: 2 * at + 1 }
    },
    resolve(encoder) {
      encoder.resolveQuerySet(querySet, 0, 2 * MAX_PASSES, resolved, 0)
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes)
    },
  }
  try {
    await device.timed(timer, run)
    await staging.mapAsync(0x01)
    return { names, stamps: new BigUint64Array(staging.getMappedRange().slice(0)) }
  } finally {
    for (const part of [querySet, resolved, staging]) part.destroy()
  }
}

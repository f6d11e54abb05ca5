/**
 * @file Devices hold storage and run ops.
 *
 * Two are built in: `cpu` runs every op's reference, and `meta` knows shapes but no numbers (it plans
 * layouts and sizes without reading a weight).
 */

import { takes } from './takes.ts'
import { newArray, type StoredDType, type TypedArray } from './dtype.ts'
import { DeviceError, MissingKernelError, fail } from './errors.ts'
import type { Device, Storage } from './tensor.ts'

export type { Device, Recording, Storage } from './tensor.ts'

/** What `run` returns; on devices that have scopes, all other storage that it made is freed. */
export function inScope<T>(device: Device, run: () => T): T {
  takes('o<run:f allocate:f>f', device, run)
  return device.scope ? device.scope(run) : run()
}

/** Storage of the CPU, and of other devices with `isHost`: a typed array that everyone may read and write. */
export interface CpuStorage extends Storage {
  readonly array: TypedArray
}

/** The CPU: runs references, in plain TypeScript. */
export const cpu: Device = /* @__PURE__ */ Object.freeze<Device>({
  name: 'cpu',
  isHost: true,
  run: (op, args) => op.reference(...args),
  allocate: (dtype, length) => cpuStorage(dtype, newArray(dtype, length)),
  upload: (dtype, array) => cpuStorage(dtype, array),
  download: (storage, offset, length) =>
    Promise.resolve((storage as CpuStorage).array.slice(offset, offset + length)),
  free: () => undefined,
})

function cpuStorage(dtype: StoredDType, array: TypedArray): CpuStorage {
  return { device: cpu, dtype, length: array.length, array }
}

/** A device without numbers: tensors on it have shape and dtype only. */
export const meta: Device = /* @__PURE__ */ Object.freeze<Device>({
  name: 'meta',
  run: (op, args) => {
    if (op.meta) return op.meta(...args)
    throw fail(
      MissingKernelError,
      `op ${op.opName} to define \`meta\` for use without data`,
      'an op with a reference only',
      'Give `meta` to defineOp: it returns tensors of the right shape and dtype.',
    )
  },
  allocate: (dtype, length) => ({ device: meta, dtype, length }),
  upload: (dtype, array) => ({ device: meta, dtype, length: array.length }),
  download: () => Promise.reject(noData()),
  free: () => undefined,
})

/**
 * Whether tensors of `a` and `b` may meet in one call. The cpu and meta have no state, so those of
 * another copy of this package serve as well; other devices are told apart by identity.
 */
export function sameDevice(a: Device, b: Device): boolean {
  return a === b || (a.name === b.name && (a.name === 'cpu' || a.name === 'meta'))
}

function noData(): DeviceError {
  return fail(
    DeviceError,
    'a tensor that holds numbers',
    'one of the meta device, which has a shape only',
  )
}

/** @file Which storage a model's parameters use, so that what no parameter uses any more can be freed. */

import { innerTensors, type Storage, type Tensor } from '@ao/base-tensor'

/**
 * Counts the parameters that use each storage. Memory of devices that have scopes is freed when the last
 * of them goes; the garbage collector sees that of others.
 */
export class StorageUses {
  readonly #counts = new Map<Storage, number>()

  /** Counts a parameter. */
  add(parameter: Tensor): void {
    for (const storage of storagesOf(parameter)) {
      this.#counts.set(storage, (this.#counts.get(storage) ?? 0) + 1)
    }
  }

  /** Takes a parameter off that the model has no more. */
  drop(parameter: Tensor): void {
    for (const storage of storagesOf(parameter)) {
      const left = (this.#counts.get(storage) ?? 0) - 1
      this.#counts.set(storage, left)
      if (left === 0 && storage.device.scope) storage.device.free(storage)
    }
  }
}

function storagesOf(tensor: Tensor): Storage[] {
  return innerTensors(tensor).map(({ storage }) => storage)
}

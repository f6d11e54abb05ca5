/** @file The dense tensors that a tensor is made of. */

import { asDense, type DenseTensor } from './dense-tensor.ts'
import { isTensorSubclass } from './tensor-subclass.ts'
import type { Tensor } from './tensor.ts'

/** A tensor's inner tensors: itself if it is dense. */
export function innerTensors(tensor: Tensor): DenseTensor[] {
  return isTensorSubclass(tensor) ? Object.values(tensor.flatten().tensors) : [asDense(tensor)]
}

/** Gives a tensor's memory back now: the garbage collector does not see that of other devices. */
export function freeTensor(tensor: Tensor): void {
  for (const { device, storage } of innerTensors(tensor)) device.free(storage)
}

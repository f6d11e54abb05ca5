import { asDense, isTensorSubclass, type Tensor } from '@ao/base-tensor'

/** Gives a tensor's memory back now: the garbage collector does not see that of other devices. */
export function freeTensor(tensor: Tensor): void {
  const parts = isTensorSubclass(tensor) ? Object.values(tensor.flatten().tensors) : [tensor]
  for (const part of parts) tensor.device.free(asDense(part).storage)
}

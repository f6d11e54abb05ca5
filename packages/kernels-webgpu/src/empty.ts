/** @file Calls with empty tensors: what their result is without a kernel. */

import { DenseTensor, isDenseTensor, meta, type Device, type Op } from '@ao/base-tensor'
import { mapTensors, tensorsIn } from './scope.ts'

/**
 * The result of a call that has nothing to compute: one of whose tensors is empty, and whose results are
 * all empty. Composite ops run the calls that they are made of.
 *
 * @returns undefined for any other call, which a kernel runs
 * @throws what the op throws for tensors that do not fit
 */
export function emptyResult<Args extends readonly unknown[], Result>(
  device: Device,
  op: Op<Args, Result>,
  args: Args,
): { readonly result: Result } | undefined {
  if (!args.some(hasEmpty)) return undefined
  if (op.isComposite) return { result: op.reference(...args) }
  if (!op.meta) return undefined
  const onMeta = (tensor: DenseTensor): DenseTensor =>
    new DenseTensor(meta.allocate(tensor.dtype, tensor.numel), tensor.shape)
  const shapes = op.meta(...(mapTensors(args, onMeta) as Args))
  if (tensorsIn(shapes).some(({ numel }) => numel > 0)) return undefined
  const there = ({ dtype, shape }: DenseTensor): DenseTensor =>
    new DenseTensor(device.allocate(dtype, 0), shape)
  return { result: mapTensors(shapes, there) as Result }
}

function hasEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasEmpty)
  return isDenseTensor(value) && value.shape.includes(0)
}

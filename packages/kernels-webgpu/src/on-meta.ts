import { DenseTensor, isTensor, meta, type Op, type Tensor, takes } from '@ao/base-tensor'

/**
 * What an op's result looks like. It refuses arguments as the op does, and takes no memory.
 *
 * @returns a tensor of the meta device
 */
export function onMeta<Args extends readonly unknown[]>(
  op: Op<Args, Tensor>,
  ...args: Args
): Tensor {
  takes('o<reference:f>', op)
  return op(...(args.map(moved) as readonly unknown[] as Args))
}

function moved(value: unknown): unknown {
  if (!isTensor(value)) return value
  return new DenseTensor(meta.allocate(value.dtype, value.numel), value.shape)
}

/** @file Formats with one fault each, and which of the kit's tests is to notice it. */

import * as base from '@ao/base-tensor'
import { Rows, type Hooks } from './rows.ts'

export interface FaultyFormat {
  readonly fault: string
  /** Begins the name of the test that must fail. */
  readonly noticedBy: string
  readonly format: typeof Rows
}

export const FAULTY_FORMATS: readonly FaultyFormat[] = [
  {
    fault: 'dequantizes to something near',
    noticedBy: 'stands for the weight',
    format: class extends Rows {
      override dequantize(dtype?: base.StoredDType): base.DenseTensor {
        const values = super.dequantize(dtype)
        return base.asDense(base.cast(base.mul(values, base.tensor(1.05)), values.dtype))
      }
    },
  },
  {
    fault: 'has a name that is no class',
    noticedBy: 'has a name, lists',
    format: class extends Rows {
      static override readonly formatName = 'rows of int8'
    },
  },
  hooked('forgets the bias', 'multiplies inputs', { bias: () => undefined }),
  {
    fault: 'refuses inputs of no rows',
    noticedBy: 'multiplies inputs of no rows',
    format: class extends Rows {
      override dispatchOp(op: base.AnyOp, args: readonly unknown[]): unknown {
        const [x] = args as readonly [base.Tensor]
        if (op.opName !== 'linear' || x.numel > 0) return super.dispatchOp(op, args)
        throw new base.ShapeError({ package: '@acme/rows', expected: 'rows', got: 'none' })
      }
    },
  },
  hooked('takes a bias of any size', 'refuses inputs and biases', {
    bias: (bias) => (bias && bias.numel > 24 ? bias.slice(0, 0, 24) : bias),
  }),
  hooked('divides by zero', 'gives finite numbers', { scaleOfZeros: Infinity }),
  {
    fault: 'counts its bytes wrong',
    noticedBy: 'comes back from its parts',
    format: class extends Rows {
      override get nbytes(): number {
        return super.nbytes + 1
      }
    },
  },
  {
    fault: 'has a default for what a file lacks',
    noticedBy: 'refuses parts that lack',
    format: class extends Rows {
      static override unflatten(tensors: never, attributes: never): never {
        return super.unflatten(tensors, {
          dtype: 'float32',
          ...(attributes as object),
        } as never) as never
      }
    },
  },
  {
    fault: 'writes an attribute that it does not read',
    noticedBy: 'writes its attributes as JSON',
    format: class extends Rows {
      static override readonly attributeCodecs = {
        dtype: { encode: () => 'float16', decode: () => 'float16' },
      }
    },
  },
  {
    fault: 'prints no parts',
    noticedBy: 'prints its name',
    format: class extends Rows {
      override toString(): string {
        return 'Rows(...)'
      }
    },
  },
  {
    fault: 'runs what it does not have on its plain values',
    noticedBy: 'names what it can do',
    format: class extends Rows {
      override dispatchOp(op: base.AnyOp, args: readonly unknown[]): unknown {
        return op.opName === 'test.unknown' ? this.dequantize() : super.dispatchOp(op, args)
      }
    },
  },
  {
    fault: 'clones without copying',
    noticedBy: 'shares storage when detached',
    format: class extends Rows {
      override clone(): this {
        return this.detach()
      }
    },
  },
  {
    fault: 'copies from anything',
    noticedBy: 'is copied into by its own kind only',
    format: class extends Rows {
      override copy_(source: base.Tensor): this {
        return source.dispatchOp ? super.copy_(source) : this
      }
    },
  },
  {
    fault: 'copies what fits of another size',
    noticedBy: 'refuses to copy between parts',
    format: class extends Rows {
      override copy_(source: base.Tensor): this {
        const fits = source.dispatchOp && source.shape[0] !== this.shape[0]
        return super.copy_(fits ? source.slice(0, 0, this.shape[0]) : source)
      }
    },
  },
  hooked('plans another layout', 'is planned on the meta device', { plannedDType: 'int16' }),
  hooked('slices from one too early', 'slices as its values do', {
    firstOfSlice: (start) => Math.max(start - 1, 0),
  }),
  hooked('slices into copies', 'is loaded part by part', { sliced: (part) => part.clone() }),
  hooked('joins in the wrong order', 'joins what was cut', { cat: (list) => list.toReversed() }),
  hooked('does not count rows from the end', 'selects rows', { selectedRow: Math.abs }),
  hooked('transposes some of its parts', 'transposes as its values do', {
    transposed: (fields) => ({ ...fields, scale: fields.scale.view([1, fields.scale.numel]) }),
  }),
]

function hooked(fault: string, noticedBy: string, hooks: Hooks): FaultyFormat {
  const format = class extends Rows {
    static override readonly hooks = hooks
  }
  return { fault, noticedBy, format }
}

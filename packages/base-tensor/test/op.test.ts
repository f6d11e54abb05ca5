import { describe, expect, it } from 'vitest'
import {
  cpu,
  defineOp,
  implement,
  isTensor,
  isTensorSubclass,
  meta,
  tensor,
  TensorSubclass,
  zeros,
  type DenseTensor,
  type Device,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { messageOf } from './support.ts'

const where: Op<[a: unknown, b?: unknown, c?: unknown], string> = defineOp({
  name: 'test.where',
  reference: () => 'reference',
  meta: () => 'meta',
  budget: { nmse: 1e-3 },
})

class Wrapped extends TensorSubclass {
  static override readonly formatName: string = 'Wrapped'
  static override readonly tensorDataNames: readonly string[] = ['inner']
  static override readonly ops = [implement(where, (a, b) => `Wrapped ${typeof a} ${typeof b}`)]

  declare readonly inner: DenseTensor

  constructor({ inner }: { inner: DenseTensor }) {
    super({ inner }, inner.shape, inner.dtype)
  }

  override dequantize(): DenseTensor {
    return this.inner
  }
}

class Bare extends Wrapped {
  static override readonly formatName: string = 'Bare'
  static override readonly ops = [implement(where, () => 'Bare')]
}

const dense = tensor([1])
const wrapped = new Wrapped({ inner: dense })

describe('calling an op', () => {
  it('runs the reference on the cpu and meta on meta', () => {
    expect(where(dense)).toBe('reference')
    expect(where(1, dense)).toBe('reference')
    expect(where(zeros([1], 'float32', meta))).toBe('meta')
  })

  it('asks the first tensor subclass among the arguments', () => {
    expect(where(dense, wrapped)).toBe('Wrapped object object')
    expect(where(3, wrapped)).toBe('Wrapped number object')
    expect(where(wrapped, new Bare({ inner: dense }))).toBe('Wrapped object object')
    expect(where(new Bare({ inner: dense }), wrapped)).toBe('Bare')
  })

  it('looks into lists', () => {
    expect(where([dense, wrapped])).toBe('Wrapped object undefined')
    expect(where([dense, dense])).toBe('reference')
  })

  it('asks the subclass before it compares devices', () => {
    expect(where(zeros([1], 'float32', meta), wrapped)).toBe('Wrapped object object')
  })

  it('wants all dense tensors on one device, and one at least', () => {
    const there = zeros([1], 'float32', meta)
    expect(messageOf(() => where(dense, [1, there]))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected all tensors of test.where on one device, got cpu and meta. Move them with \`await tensor.to(device)\` first."`,
    )
    expect(messageOf(() => where(1, [2], 'x'))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected a tensor among the arguments of test.where, got none."`,
    )
  })

  it('hands the op and its arguments to the device', () => {
    const calls: unknown[] = []
    const device: Device = {
      ...cpu,
      name: 'recorder',
      isHost: false,
      run: (op, args) => {
        calls.push(op.opName, args)
        return op.reference(...args)
      },
      allocate: (dtype, length) => ({ device, dtype, length }),
    }
    const there = zeros([1], 'float32', device)
    expect(where(there, 2)).toBe('reference')
    expect(calls).toEqual(['test.where', [there, 2]])
  })

  it('names the op that lacks meta', () => {
    const op: Op<[Tensor], Tensor> = defineOp({ name: 'test.plain', reference: (t: Tensor) => t })
    expect(op(dense)).toBe(dense)
    expect(messageOf(() => op(zeros([1], 'float32', meta)))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected op test.plain to define \`meta\` for use without data, got an op with a reference only. Give \`meta\` to defineOp: it returns tensors of the right shape and dtype."`,
    )
  })

  it('is a value that says what it is', () => {
    expect([where.opName, where.budget]).toEqual(['test.where', { nmse: 1e-3 }])
    expect(where.reference(1)).toBe('reference')
  })
})

describe('isTensor', () => {
  it('knows dense tensors and subclasses', () => {
    expect([dense, wrapped].map(isTensor)).toEqual([true, true])
    expect([dense, wrapped].map(isTensorSubclass)).toEqual([false, true])
    expect([null, undefined, 1, 'x', [], { shape: [1], dtype: 'int8' }].map(isTensor)).toEqual(
      new Array(6).fill(false),
    )
  })
})

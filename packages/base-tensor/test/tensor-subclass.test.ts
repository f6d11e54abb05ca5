import { describe, expect, it } from 'vitest'
import {
  asDense,
  cast,
  cat,
  fromFloat32,
  hostFloat32,
  implement,
  linear,
  meta,
  metadataDifference,
  mul,
  narrow,
  reshape,
  select,
  slice,
  tensor,
  TensorSubclass,
  transpose,
  UnsupportedOpError,
  view,
  zeros,
  type DenseTensor,
  type OpImplementation,
  type StoredDType,
} from '@ao/base-tensor'
import { messageOf, numbers, thrownBy } from './support.ts'

interface ScaledFields {
  readonly qdata: DenseTensor
  readonly blockSize: readonly number[]
  readonly offset?: DenseTensor | undefined
  readonly note?: string | undefined
  readonly dtype?: StoredDType
}

/** Whole numbers times a power of two for each row: small, and with every kind of field. */
class Scaled extends TensorSubclass {
  static override readonly formatName: string = 'Scaled'
  static override readonly tensorDataNames: readonly string[] = ['qdata']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize']
  static override readonly optionalTensorDataNames: readonly string[] = ['offset']
  static override readonly optionalTensorAttributeNames: readonly string[] = ['note']
  static override readonly ops: readonly OpImplementation[] = [
    implement(slice, (t, ...rest) => (t as Scaled).with((inner) => inner.slice(...rest))),
    implement(transpose, (t, a, b) => (t as Scaled).with((inner) => inner.transpose(a, b))),
    implement(view, (t, shape) => (t as Scaled).with((inner) => inner.view(shape))),
    implement(linear, (input, weight) => linear(input, (weight as Scaled).dequantize())),
  ]

  declare readonly qdata: DenseTensor
  declare readonly blockSize: readonly number[]
  declare readonly offset: DenseTensor | undefined
  declare readonly note: string | undefined

  constructor(fields: ScaledFields) {
    super({ ...fields }, fields.qdata?.shape ?? [], fields.dtype ?? 'float32')
  }

  override dequantize(dtype: StoredDType = this.dtype): DenseTensor {
    return asDense(cast(mul(cast(this.qdata, 'float32'), tensor(0.5)), dtype))
  }

  with(change: (inner: DenseTensor) => DenseTensor): Scaled {
    return new Scaled({ ...this, qdata: change(this.qdata) })
  }
}

function scaled(fields: Partial<ScaledFields> = {}): Scaled {
  const qdata = tensor(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    { dtype: 'int8' },
  )
  return new Scaled({ qdata, blockSize: [1, 3], ...fields })
}

const full = (): Scaled => scaled({ offset: tensor([7, 8], { dtype: 'int8' }), note: 'here' })

describe('flatten and unflatten', () => {
  it('list tensors that are there, and all attributes', () => {
    const { tensors, attributes } = scaled().flatten()
    expect(Object.keys(tensors)).toEqual(['qdata'])
    expect(Object.entries(attributes)).toEqual([
      ['blockSize', [1, 3]],
      ['note', undefined],
    ])
    expect(Object.keys(full().flatten().tensors)).toEqual(['qdata', 'offset'])
  })

  it.each([
    ['bare', scaled()],
    ['full', full()],
  ])('round trip: %s', (_, source) => {
    const { tensors, attributes } = source.flatten()
    const back = Scaled.unflatten(tensors, attributes)
    expect(back).toBeInstanceOf(Scaled)
    expect(back.qdata).toBe(source.qdata)
    expect(back.offset).toBe(source.offset)
    expect(String(back)).toBe(String(source))
    expect(hostFloat32(back.dequantize())).toEqual(hostFloat32(source.dequantize()))
  })

  it('are lenient about optional tensors only', () => {
    const { tensors, attributes } = full().flatten()
    const { qdata, ...noQdata } = tensors
    expect(Scaled.unflatten({ qdata: qdata as DenseTensor }, attributes).offset).toBeUndefined()
    const { note: _, ...noNote } = attributes
    const { blockSize: __, ...noBlockSize } = attributes
    expect(messageOf(() => Scaled.unflatten(noQdata, attributes))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected Scaled to be given qdata, got nothing."`,
    )
    expect(messageOf(() => Scaled.unflatten(tensors, noNote))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected Scaled to be given note, got nothing."`,
    )
    expect(messageOf(() => Scaled.unflatten(tensors, noBlockSize))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected Scaled to be given blockSize, got nothing."`,
    )
  })
})

describe('what the four lists give', () => {
  it('a size, a device and frozen fields', () => {
    const t = full()
    expect([t.shape, t.ndim, t.numel, t.nbytes, t.dtype]).toEqual([[2, 3], 2, 6, 8, 'float32'])
    expect(t.device.name).toBe('cpu')
    expect(() => Object.assign(t, { qdata: null })).toThrow(TypeError)
  })

  it('detach shares, clone and contiguous of transposed parts do not', () => {
    const source = full()
    const { detach, clone } = { detach: source.detach(), clone: source.clone() }
    expect(detach).not.toBe(source)
    expect(detach.qdata.storage).toBe(source.qdata.storage)
    expect(clone.qdata.storage).not.toBe(source.qdata.storage)
    for (const copy of [detach, clone]) {
      expect(String(copy)).toBe(String(source))
      expect(copy.blockSize).toBe(source.blockSize) // attributes are shared, not copied
      expect(numbers(copy.qdata)).toEqual(numbers(source.qdata))
    }
    expect(scaled().clone().offset).toBeUndefined()

    const turned = source.transpose(0, 1) as Scaled
    expect(turned.qdata.isContiguous).toBe(false)
    const contiguous = turned.contiguous()
    expect(contiguous.qdata.isContiguous).toBe(true)
    expect(numbers(contiguous.qdata)).toEqual([1, 4, 2, 5, 3, 6])
    expect(contiguous.offset).toBe(source.offset)
  })

  it('to moves every inner tensor', async () => {
    const source = full()
    expect(await source.to(source.device)).toBe(source)
    const moved = await source.to(meta)
    expect(moved.device).toBe(meta)
    expect([moved.qdata.device, moved.offset?.device]).toEqual([meta, meta])
    expect([moved.blockSize, moved.note]).toEqual([[1, 3], 'here'])
    expect((await scaled().to(meta)).offset).toBeUndefined()
  })

  it('toString: data, attributes, optional data, optional attributes', () => {
    expect(String(full())).toBe(
      'Scaled(qdata=tensor([2, 3], dtype=int8), blockSize=[1,3], ' +
        'offset=tensor([2], dtype=int8), note=here)',
    )
    expect(String(scaled())).toMatch(/blockSize=\[1,3\]\)$/)
  })
})

describe('copy_', () => {
  it('writes all inner tensors, through views too', () => {
    const target = full()
    const source = full()
    source.qdata.copy_(tensor([[9, 9, 9], [8, 8, 8]], { dtype: 'int8' })) // prettier-ignore
    narrow(target, 0, 1, 1).copy_(narrow(source, 0, 1, 1))
    expect(numbers(target.qdata)).toEqual([1, 2, 3, 8, 8, 8])
    expect(target.copy_(source)).toBe(target)
    expect(numbers(target.qdata)).toEqual([9, 9, 9, 8, 8, 8])
  })

  it('refuses other metadata, and then writes nothing', () => {
    class Other extends Scaled {
      static override readonly formatName: string = 'Other'
    }
    const wide = { qdata: zeros([2, 4], 'int8') }
    const refused = [
      zeros([2, 3]),
      new Other(full()),
      scaled({ ...full(), ...wide }),
      scaled({ ...full(), offset: undefined }),
      scaled({ ...full(), offset: tensor([7, 8, 9], { dtype: 'int8' }) }),
      scaled({ ...full(), offset: tensor([7, 8]) }), // would fail after qdata was written
      scaled({ ...full(), blockSize: [1, 1] }),
      scaled({ ...full(), note: undefined }),
    ]
    const target = full()
    target.qdata.copy_(zeros([2, 3], 'int8'))
    expect(refused.map((source) => metadataDifference(target, source))).toMatchInlineSnapshot(`
      [
        "a dense tensor",
        "a tensor of Other",
        "shape [2, 4]",
        "offset=undefined",
        "offset=tensor([3], dtype=int8)",
        "offset=tensor([2], dtype=float32)",
        "blockSize=[1,1]",
        "note=undefined",
      ]
    `)
    for (const source of refused) expect(() => target.copy_(source)).toThrow('same metadata')
    expect(numbers(target.qdata)).toEqual([0, 0, 0, 0, 0, 0])
    expect(messageOf(() => scaled().copy_(full()))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected copy_ from a tensor with the same metadata as Scaled(qdata=tensor([2, 3], dtype=int8), blockSize=[1,3]), got offset=tensor([2], dtype=int8)."`,
    )
  })

  it('compares attributes by value', () => {
    expect(metadataDifference(scaled({ blockSize: [1, 3] }), scaled({ blockSize: [1, 3] }))).toBe(
      undefined,
    )
  })
})

describe('op tables', () => {
  class Child extends Scaled {
    static override readonly formatName: string = 'Child'
    static override readonly ops = [
      implement(select, () => tensor([42])),
      implement(linear, () => tensor([1])),
    ]
  }
  class Plain extends Scaled {
    static override readonly formatName: string = 'Plain'
  }
  const child = new Child(full())
  const x = tensor([[2, 0, 0]])

  it('are what methods and ops run', () => {
    expect(numbers((full().slice(1, 1) as Scaled).qdata)).toEqual([2, 3, 5, 6])
    expect(reshape(full(), [6]).shape).toEqual([6])
    expect(numbers(linear(x, full()))).toEqual([1, 4])
  })

  it('are inherited, and overridden by the child alone', () => {
    expect(numbers(linear(x, new Plain(full())))).toEqual([1, 4])
    expect(numbers(linear(x, child))).toEqual([1])
    expect(numbers(linear(x, full()))).toEqual([1, 4])
    expect(child.slice(0, 1).shape).toEqual([1, 3])
  })

  it('of a child say nothing about its parent', () => {
    expect(numbers(select(child, 0, 0))).toEqual([42])
    expect(thrownBy(() => select(full(), 0, 0))).toBeInstanceOf(UnsupportedOpError)
    expect(messageOf(() => select(full(), 0, 1))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected an operation that Scaled has (linear, slice, transpose, view), got select(Scaled, 0, 1). Call dequantize() to work on the plain tensor."`,
    )
  })

  it('that lack an op name it, the types of its arguments, and the ops there are', () => {
    const wide = fromFloat32(new Float32Array(2), [2], 'int64')
    expect(messageOf(() => cat([child, wide], 1))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected an operation that Child has (linear, select, slice, transpose, view), got cat([Child, tensor([2], dtype=int64)], 1). Call dequantize() to work on the plain tensor."`,
    )
    class None extends TensorSubclass {
      static override readonly formatName: string = 'None'
      static override readonly tensorDataNames: readonly string[] = ['inner']
      override dequantize(): DenseTensor {
        return x
      }
    }
    const none = new None({ inner: x }, [3], 'float32')
    expect(messageOf(() => none.unsqueeze(0))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected an operation that None has (none), got unsqueeze(None, 0). Call dequantize() to work on the plain tensor."`,
    )
  })
})

describe('asDense', () => {
  it('says how to get a dense tensor', () => {
    expect(messageOf(() => asDense(full(), 'the scale'))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected the scale to be dense, got Scaled(qdata=tensor([2, 3], dtype=int8), blockSize=[1,3], offset=tensor([2], dty.... Call dequantize() first."`,
    )
  })
})

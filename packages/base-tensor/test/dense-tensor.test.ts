import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  asDense,
  contiguousStrides,
  cpu,
  fromArray,
  hostArray,
  isDenseTensor,
  meta,
  numelOf,
  resolveShape,
  tensor,
  zeros,
  type DenseTensor,
  type Device,
} from '@ao/base-tensor'
import { messageOf, numbers } from './support.ts'

/** A tensor as nested lists: the model that views are compared with. */
type Nested = number | Nested[]

function nest(t: DenseTensor): Nested {
  if (t.ndim === 0) return Number(hostArray(t)[0])
  return Array.from({ length: t.shape[0] as number }, (_, i) => nest(t.select(0, i)))
}

function flatten(nested: Nested): number[] {
  return Array.isArray(nested) ? nested.flatMap(flatten) : [nested]
}

/** `nested` with `change` applied to the lists of dimension `dim`. */
function atDim(nested: Nested, dim: number, change: (list: Nested[]) => Nested): Nested {
  const list = nested as Nested[]
  return dim === 0 ? change(list) : list.map((item) => atDim(item, dim - 1, change))
}

function transposeModel(nested: Nested, shape: readonly number[], a: number, b: number): Nested {
  const swapped = [...shape]
  swapped[a] = shape[b] as number
  swapped[b] = shape[a] as number
  const build = (index: number[]): Nested => {
    const d = index.length
    if (d === shape.length) {
      const from = [...index]
      from[a] = index[b] as number
      from[b] = index[a] as number
      return from.reduce<Nested>((level, i) => (level as Nested[])[i] as Nested, nested)
    }
    return Array.from({ length: swapped[d] as number }, (_, i) => build([...index, i]))
  }
  return build([])
}

function arange(shape: readonly number[]): DenseTensor {
  return fromArray(
    Int32Array.from({ length: numelOf(shape) }, (_, i) => i),
    shape,
    'int32',
  )
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })

interface Model {
  readonly tensor: DenseTensor
  readonly nested: Nested
}

/** Takes random views, of the tensor and of the model alike. */
function randomView(seed: readonly number[], start: Model): Model {
  return seed.reduce(({ tensor: t, nested }, code) => {
    const d = code % Math.max(t.ndim, 1)
    const size = t.shape[d]
    if (t.ndim === 0 || size === undefined || size === 0) return { tensor: t, nested }
    const from = (code >> 4) % size
    const length = 1 + ((code >> 8) % (size - from))
    const step = 1 + ((code >> 12) % 3)
    switch ((code >> 2) % 6) {
      case 0:
        return {
          tensor: t.narrow(d, from, length),
          nested: atDim(nested, d, (list) => list.slice(from, from + length)),
        }
      case 1:
        return {
          tensor: t.slice(d, from - size, undefined, step),
          nested: atDim(nested, d, (list) => list.slice(from).filter((_, i) => i % step === 0)),
        }
      case 2:
        return {
          tensor: t.select(d, from),
          nested: atDim(nested, d, (list) => list[from] as Nested),
        }
      case 3: {
        const other = (code >> 4) % t.ndim
        return {
          tensor: t.transpose(d, other),
          nested: transposeModel(nested, t.shape, d, other),
        }
      }
      case 4:
        return {
          tensor: t.unsqueeze(d),
          nested: atDim([nested], d, (list) => list) && wrap(nested, d),
        }
      default:
        return {
          tensor: t.squeeze(d),
          nested: size === 1 ? atDim(nested, d, (list) => list[0] as Nested) : nested,
        }
    }
  }, start)
}

function wrap(nested: Nested, dim: number): Nested {
  return dim === 0 ? [nested] : (nested as Nested[]).map((item) => wrap(item, dim - 1))
}

describe('views', () => {
  const chains = fc.tuple(shapes, fc.array(fc.nat(0xffff), { maxLength: 6 }))

  it('show what nested lists show', () => {
    fc.assert(
      fc.property(chains, ([shape, seed]) => {
        const base = arange(shape)
        const { tensor: t, nested } = randomView(seed, { tensor: base, nested: nest(base) })
        expect(nest(t)).toEqual(nested)
        expect(Array.from(numbers(t))).toEqual(flatten(nested))
        expect(t.storage).toBe(base.storage)
        expect(t.contiguous().isContiguous).toBe(true)
        expect(numbers(t.clone())).toEqual(numbers(t))
        expect(t.clone().storage).not.toBe(base.storage)
      }),
      { numRuns: 400 },
    )
  })

  it('write through to what they show, and to nothing else', () => {
    fc.assert(
      fc.property(chains, ([shape, seed]) => {
        const base = arange(shape)
        const { tensor: t } = randomView(seed, { tensor: base, nested: nest(base) })
        const shown = new Set(numbers(t))
        const fresh = fromArray(new Int32Array(t.numel).fill(-1), t.shape, 'int32')
        expect(t.copy_(fresh)).toBe(t)
        const after = numbers(base)
        after.forEach((value, i) => expect(value).toBe(shown.has(i) ? -1 : i))
      }),
      { numRuns: 200 },
    )
  })

  it('view keeps the order of elements, or says that it would need a copy', () => {
    fc.assert(
      fc.property(chains, fc.array(fc.integer({ min: 1, max: 4 })), ([shape, seed], wanted) => {
        const base = arange(shape)
        const { tensor: t } = randomView(seed, { tensor: base, nested: nest(base) })
        const target = [...wanted, -1]
        if (t.numel % numelOf(wanted) !== 0) {
          expect(() => t.view(target)).toThrow('Expected a shape of')
          return
        }
        const elements = numbers(t)
        expect(numbers(t.contiguous().view(target))).toEqual(elements)
        let viewed: DenseTensor
        try {
          viewed = t.view(target)
        } catch (error) {
          expect((error as Error).message).toContain('Call contiguous() first.')
          expect(t.isContiguous).toBe(false)
          return
        }
        expect(viewed.storage).toBe(base.storage)
        expect(numbers(viewed)).toEqual(elements)
        expect(numbers(viewed.view(t.shape))).toEqual(elements)
      }),
      { numRuns: 400 },
    )
  })

  it('merge dimensions of windows where memory runs on', () => {
    const rows = arange([4, 2, 3]).narrow(0, 1, 2)
    expect(rows.view([4, 3]).strides).toEqual([3, 1])
    const columns = arange([4, 6]).narrow(1, 0, 4)
    expect(columns.view([4, 2, 2]).strides).toEqual([6, 2, 1])
    expect(columns.view([2, 2, 1, 4]).strides).toEqual([12, 6, 4, 1])
    expect(messageOf(() => columns.view([16]))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected elements that [16] can show without a copy, got shape [4, 4] with strides [6, 1]. Call contiguous() first."`,
    )
    expect(messageOf(() => columns.view([5, -1]))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected a shape of 16 elements, got [5, -1]."`,
    )
    expect(messageOf(() => columns.view([-1, -1]))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected a shape of 16 elements, got [-1, -1]."`,
    )
  })

  it('handle scalars and empty tensors', () => {
    expect(tensor(3).view([1, 1]).view([]).shape).toEqual([])
    expect(zeros([0, 3]).view([3, 0]).shape).toEqual([3, 0])
    expect(zeros([2, 3]).narrow(0, 2, 0).shape).toEqual([0, 3])
    expect(hostArray(zeros([4, 2]).narrow(1, 0, 0)).length).toBe(0)
    expect(resolveShape([-1, 0], 0)).toEqual([0, 0])
    expect(contiguousStrides([])).toEqual([])
    expect(numelOf([])).toBe(1)
  })

  it('clamp slice ends as Python does, and refuse what is no index', () => {
    const t = arange([5])
    expect(numbers(t.slice(0, -3))).toEqual([2, 3, 4])
    expect(numbers(t.slice(0, 3, 1))).toEqual([])
    expect(numbers(t.slice(0, -100, 100, 2))).toEqual([0, 2, 4])
    expect(numbers(t.narrow(-1, -2, 2))).toEqual([3, 4])
    expect(numbers(t.select(0, -1))).toEqual([4])
    const refused = [
      () => t.slice(0, 0, 5, 0),
      () => t.slice(0, 0.5),
      () => t.slice(0, NaN),
      () => t.slice(1),
      () => t.narrow(0, 3, 3),
      () => t.narrow(0, -6, 1),
      () => t.narrow(0, 0, -1),
      () => t.select(0, 5),
      () => t.narrow(0, 0, 0).select(0, 0),
      () => tensor(1).slice(0),
      () => t.transpose(0, 1),
      () => t.unsqueeze(2),
    ]
    expect(refused.map(messageOf)).toMatchInlineSnapshot(`
      [
        "[@ao/base-tensor] Expected a step of at least 1, got 0.",
        "[@ao/base-tensor] Expected integer slice ends, got 0.5.",
        "[@ao/base-tensor] Expected integer slice ends, got NaN.",
        "[@ao/base-tensor] Expected a dimension in -1..0, got 1.",
        "[@ao/base-tensor] Expected start and length within a dimension of 5, got start 3, length 3.",
        "[@ao/base-tensor] Expected start and length within a dimension of 5, got start -6, length 1.",
        "[@ao/base-tensor] Expected start and length within a dimension of 5, got start 0, length -1.",
        "[@ao/base-tensor] Expected an index in -5..4, got 5.",
        "[@ao/base-tensor] Expected an index, of which there are none, got 0.",
        "[@ao/base-tensor] Expected a dimension, of which there are none, got 0.",
        "[@ao/base-tensor] Expected a dimension in -1..0, got 1.",
        "[@ao/base-tensor] Expected a dimension in -2..1, got 2.",
      ]
    `)
  })
})

describe('copy_', () => {
  it('moves overlapping windows of one storage', () => {
    const t = arange([5])
    t.narrow(0, 1, 4).copy_(t.narrow(0, 0, 4))
    expect(numbers(t)).toEqual([0, 0, 1, 2, 3])
  })

  it('copies 64-bit integers and transposed windows', () => {
    const wide = fromArray(new BigInt64Array([1n, 2n, 3n, 4n]), [2, 2], 'int64')
    expect(numbers(wide.transpose(0, 1).clone())).toEqual([1n, 3n, 2n, 4n])
  })

  it('refuses another dtype, shape or device', () => {
    const t = zeros([2, 2])
    expect(messageOf(() => t.copy_(zeros([2, 2], 'int8')))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected copy_ from a tensor of float32, got int8. Use cast(source, dtype) first."`,
    )
    expect(messageOf(() => t.copy_(zeros([4])))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected copy_ from a tensor of shape [2, 2], got [4]."`,
    )
    expect(messageOf(() => t.copy_(zeros([2, 2], 'float32', meta)))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected all tensors of copyInto on one device, got cpu and meta. Move them with \`await tensor.to(device)\` first."`,
    )
  })
})

describe('devices', () => {
  it('keeps a tensor that is there already, and copies through data() otherwise', async () => {
    const t = arange([2, 3])
    expect(await t.to(cpu)).toBe(t)
    const other: Device = { ...cpu, name: 'other', isHost: false }
    const there = await t.transpose(0, 1).to({
      ...other,
      upload: (dtype, array) => ({ ...cpu.upload(dtype, array), device: other }),
    })
    expect(there.shape).toEqual([3, 2])
    expect(await there.data()).toEqual(new Int32Array([0, 3, 1, 4, 2, 5]))
    expect(String(there)).toBe('tensor([3, 2], dtype=int32, device=other)')
    expect(messageOf(() => hostArray(there))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected a tensor of the cpu, got one of other. Read it with \`await tensor.data()\`."`,
    )
  })

  it('data() is a copy, hostArray storage itself', async () => {
    const t = arange([3])
    ;(await t.data())[0] = 9
    expect(numbers(t)).toEqual([0, 1, 2])
    expect(hostArray(t)).toBe(hostArray(t.detach()))
    expect(hostArray(t.narrow(0, 1, 2)).buffer).toBe(hostArray(t).buffer)
  })

  it('meta has shapes and no numbers', async () => {
    const t = zeros([4, 6], 'int8', meta)
    const window = t.transpose(0, 1).narrow(0, 0, 3)
    expect(window.clone().shape).toEqual([3, 4])
    expect(window.contiguous().isContiguous).toBe(true)
    expect(window.nbytes).toBe(12)
    expect((await arange([2]).to(meta)).device).toBe(meta)
    await expect(t.data()).rejects.toThrow(
      '[@ao/base-tensor] Expected a tensor that holds numbers, got one of the meta device, which has a shape only.',
    )
    await expect(t.to(cpu)).rejects.toThrow('Expected a tensor that holds numbers')
  })
})

describe('a dense tensor', () => {
  it('says what it is', () => {
    const t = zeros([2, 3], 'bfloat16')
    expect(String(t)).toBe('tensor([2, 3], dtype=bfloat16)')
    expect([t.ndim, t.numel, t.nbytes, t.isContiguous]).toEqual([2, 6, 12, true])
    expect(isDenseTensor(t)).toBe(true)
    expect([null, undefined, 3, {}, [t]].map(isDenseTensor)).toEqual(new Array(5).fill(false))
    expect(asDense(t)).toBe(t)
  })

  it('freezes its shape, and does not keep the one it was given', () => {
    const shape = [2, 3]
    const t = zeros(shape)
    shape[0] = 9
    expect(t.shape).toEqual([2, 3])
    expect(() => (t.shape as number[]).push(1)).toThrow(TypeError)
  })
})

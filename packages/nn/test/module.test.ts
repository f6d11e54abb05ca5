import { meta, tensor, TensorSubclass, zeros, type DenseTensor, type Tensor } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { Embedding, isModule, Linear, Module, ReLU, Sequential } from '../src/index.ts'

class Block extends Module {
  readonly q_proj: Linear
  readonly norm_weight: Tensor
  readonly #cache = new Linear(zeros([9, 9]))

  constructor() {
    super()
    this.q_proj = new Linear(zeros([4, 4]), zeros([4]))
    this.norm_weight = zeros([4])
  }

  cacheSize(): number {
    return this.#cache.outFeatures
  }
}

class Model extends Module {
  readonly embed = new Embedding(zeros([10, 4]))
  readonly layers = [new Block(), new Block()]
  readonly head = new Linear(this.embed.weight)
  readonly sizes = [4, 10]
}

/** A format with nothing but data, to stand for any. */
class HalvedTensor extends TensorSubclass {
  static override readonly formatName: string = 'HalvedTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize']

  constructor(shape: readonly number[], blockSize: readonly number[]) {
    const fields = { qdata: zeros(shape, 'int8'), scale: zeros([shape[0] as number, 1]), blockSize }
    super(fields, shape, 'float32')
  }

  override dequantize(): DenseTensor {
    return zeros(this.shape)
  }
}

describe('finding', () => {
  it('lists modules parents first, the root under the empty name', () => {
    expect([...new Model().namedModules()].map(([name]) => name)).toEqual([
      '',
      'embed',
      'layers.0',
      'layers.0.q_proj',
      'layers.1',
      'layers.1.q_proj',
      'head',
    ])
    expect([...new Block().namedModules('layers.7')].map(([name]) => name)).toEqual([
      'layers.7',
      'layers.7.q_proj',
    ])
  })

  it('lists parameters once, state under every name', () => {
    const model = new Model()
    const names = [
      'embed.weight',
      'layers.0.norm_weight',
      'layers.0.q_proj.weight',
      'layers.0.q_proj.bias',
      'layers.1.norm_weight',
      'layers.1.q_proj.weight',
      'layers.1.q_proj.bias',
    ]
    expect([...model.namedParameters()].map(([name]) => name)).toEqual(names)
    expect([...model.stateDict().keys()]).toEqual([...names, 'head.weight'])
    expect(model.stateDict().get('head.weight')).toBe(model.embed.weight)
  })

  it('lists a shared module once', () => {
    const shared = new Linear(zeros([2, 2]))
    const model = new Sequential(shared, new ReLU(), shared)
    expect([...model.namedModules()].map(([name]) => name)).toEqual(['', '0', '1'])
    expect([...model.stateDict().keys()]).toEqual(['0.weight', '2.weight'])
  })

  it('gets by full name, and says where a path ends', () => {
    const model = new Model()
    expect(model.getSubmodule('')).toBe(model)
    expect(model.getSubmodule('layers.1.q_proj')).toBe(model.layers[1]?.q_proj)
    expect(() => model.getSubmodule('layers.1.k_proj')).toThrow(
      "[@ao/nn] Expected a child of Block, got 'k_proj'. It has q_proj.",
    )
    expect(() => model.getSubmodule('layers.2')).toThrow(
      "[@ao/nn] Expected a child of Model, got 'layers.2'. It has embed, layers.0, layers.1, head.",
    )
  })

  it('knows modules by what they do', () => {
    expect([isModule(new ReLU()), isModule({}), isModule(null), isModule(zeros([1]))]).toEqual([
      true,
      false,
      false,
      false,
    ])
  })
})

describe('replacing', () => {
  it('sets modules in properties and in lists', () => {
    const model = new Model()
    const linear = new Linear(zeros([1, 1]))
    model.setSubmodule('layers.1', linear)
    model.setSubmodule('layers.0.q_proj', linear)
    expect(model.layers[1]).toBe(linear)
    expect(model.layers[0]?.q_proj).toBe(linear)
    expect(() => model.setSubmodule('', linear)).toThrow(
      "[@ao/nn] Expected a child of Model, got ''.",
    )
  })

  it('sets parameters, absent ones too', () => {
    const linear = new Linear(zeros([2, 2]))
    const bias = zeros([2])
    linear.setParameter('bias', bias)
    expect(linear.bias).toBe(bias)
    expect(() => linear.setParameter('scale', bias)).toThrow(
      "[@ao/nn] Expected a parameter of Linear, got 'scale'. It has weight, bias.",
    )
    expect(() => new GeneralError().setParameter('layers', bias)).toThrow(
      "got 'layers'. It has none.",
    )
  })

  it('moves to a device, shared parameters once', async () => {
    const model = await new Model().to(meta)
    expect([...model.stateDict().values()].every(({ device }) => device === meta)).toBe(true)
    expect(model.head.weight).toBe(model.embed.weight)
  })
})

class GeneralError extends Module {
  readonly layers: Module[] = []
}

describe('loadStateDict', () => {
  const entries = (): Map<string, Tensor> =>
    new Map(
      [...new Model().stateDict()].map(([name, { shape }]) => [name, zeros(shape, 'bfloat16')]),
    )

  it('takes the tensors themselves, of any dtype or format', () => {
    const model = new Model()
    const given = entries()
    const quantized = new HalvedTensor([4, 4], [1, 4])
    given.set('layers.0.q_proj.weight', quantized)
    expect(model.loadStateDict(given)).toEqual({ missing: [], unexpected: [] })
    expect(model.layers[0]?.q_proj.weight).toBe(quantized)
    expect(model.layers[1]?.norm_weight.dtype).toBe('bfloat16')
  })

  it('unties names that have entries of their own', () => {
    const model = new Model()
    const given = entries()
    const quantized = new HalvedTensor([10, 4], [1, 4])
    given.set('head.weight', quantized)
    model.loadStateDict(given)
    expect(model.head.weight).toBe(quantized)
    expect(model.embed.weight).toBe(given.get('embed.weight'))
  })

  it('keeps sharing, whichever of the names is there', () => {
    for (const [absent, present] of [
      ['head.weight', 'embed.weight'],
      ['embed.weight', 'head.weight'],
    ] as const) {
      const model = new Model()
      const given = entries()
      given.delete(absent)
      model.loadStateDict(given)
      expect(model.embed.weight).toBe(given.get(present))
      expect(model.head.weight).toBe(given.get(present))
    }
  })

  it('lists what is missing and unexpected, and changes nothing then', () => {
    const model = new Model()
    const before = model.stateDict()
    const given = entries()
    given.delete('layers.0.q_proj.bias')
    given.set('layers.2.norm_weight', zeros([4]))
    expect(() => model.loadStateDict(given)).toThrow(
      '[@ao/nn] Expected entries for exactly the parameters of Model, got missing: layers.0.q_proj.bias; unexpected: layers.2.norm_weight. Pass { strict: false } to load what fits.',
    )
    expect([...model.stateDict().values()]).toEqual([...before.values()])
    expect(model.loadStateDict(given, { strict: false })).toEqual({
      missing: ['layers.0.q_proj.bias'],
      unexpected: ['layers.2.norm_weight'],
    })
  })

  it('lists every other shape, strict or not', () => {
    const given = entries()
    given.set('embed.weight', zeros([10, 5]))
    given.set('layers.1.norm_weight', zeros([5]))
    expect(() => new Model().loadStateDict(given, { strict: false })).toThrow(
      "[@ao/nn] Expected entries of the parameters' shapes, got embed.weight: [10, 5] for [10, 4], layers.1.norm_weight: [5] for [4].",
    )
  })
})

describe('toString', () => {
  it('shows formats, and equal neighbours as one', () => {
    const model = new Model()
    model.head.weight = new HalvedTensor([10, 4], [1, 4])
    model.head.bias = tensor([1])
    expect(String(model)).toBe(`Model(
  (embed): Embedding(10, 4)
  (layers.0-1): 2 x Block(
    norm_weight=[4]
    (q_proj): Linear(in=4, out=4, bias=true)
  )
  (head): Linear(in=4, out=10, bias=true, weight=HalvedTensor(blockSize=[1, 4], scale=[10, 1]))
)`)
  })
})

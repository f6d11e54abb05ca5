import {
  fromArray,
  arrayFromBytes,
  hostFloat32,
  tensor,
  zeros,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { goldenPath, loadTensors } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import {
  ChannelsLastLinear,
  Conv2d,
  Embedding,
  GELU,
  gelu,
  geluTanh,
  LayerNorm,
  Linear,
  ReLU,
  RMSNorm,
  Sequential,
  SiLU,
  swapConv2d1x1ToLinear,
} from '../src/index.ts'

const make = (dtype: string, shape: readonly number[], bytes: Uint8Array): Tensor =>
  fromArray(arrayFromBytes(dtype as StoredDType, bytes), shape, dtype as StoredDType)

function ramp(...shape: number[]): Tensor {
  const length = shape.reduce((a, b) => a * b)
  return tensor(
    Float32Array.from({ length }, (_, i) => ((i * 5) % 13) - 6),
    { shape },
  )
}

describe('layers', () => {
  it('give what PyTorch gives for a bfloat16 model', () => {
    const weights = loadTensors(goldenPath('checkpoints/int8wo/original.safetensors'), make)
    const io = loadTensors(goldenPath('checkpoints/int8wo/io.safetensors'), make)
    const placeholder = (...shape: number[]): Tensor => zeros(shape, 'bfloat16')
    const model = new Sequential(
      new Linear(placeholder(256, 128), placeholder(256)),
      new ReLU(),
      new Linear(placeholder(128, 256)),
      new LayerNorm(placeholder(128), placeholder(128)),
      new Linear(placeholder(64, 128), placeholder(64)),
    )
    const positions: Record<string, string> = { up: '0', down: '2', norm: '3', head: '4' }
    model.loadStateDict(
      new Map(
        [...weights].map(([name, t]) => [name.replace(/^\w+/, (n) => positions[n] as string), t]),
      ),
    )
    const y = model.forward(io.get('x') as Tensor)
    expect(y.dtype).toBe('bfloat16')
    const expected = hostFloat32(io.get('y_float') as Tensor)
    expect(sqnr(expected, hostFloat32(y))).toBeGreaterThan(50)
  })

  it('print the tree as PyTorch does, with shapes', () => {
    const model = new Sequential(
      new Linear(zeros([256, 128]), zeros([256])),
      new Sequential(new ReLU(), new SiLU(), new GELU('tanh')),
      new RMSNorm(zeros([128]), 1e-5),
      new LayerNorm(zeros([128])),
      new Embedding(zeros([10, 4])),
      new Conv2d(zeros([8, 2, 3, 3]), undefined, { padding: 1, groups: 2 }),
    )
    expect(String(model)).toBe(`Sequential(
  (0): Linear(in=128, out=256, bias=true)
  (1): Sequential(
    (0): ReLU()
    (1): SiLU()
    (2): GELU(approximate=tanh)
  )
  (2): RMSNorm([128], eps=1e-5)
  (3): LayerNorm([128], eps=1e-5, bias=false)
  (4): Embedding(10, 4)
  (5): Conv2d(in=4, out=8, kernel=[3, 3], stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=2, bias=false)
)`)
  })

  it('run their ops', () => {
    const x = ramp(2, 3)
    const run = (layer: { forward(x: Tensor): Tensor }): number[] => [
      ...hostFloat32(layer.forward(x)),
    ]
    expect(run(new GELU())).toEqual([...hostFloat32(gelu(x))])
    expect(run(new GELU('tanh'))).toEqual([...hostFloat32(geluTanh(x))])
    expect(
      run(new RMSNorm(tensor([1, 1, 1]), 0))
        .map((v) => v ** 2)
        .reduce((a, b) => a + b),
    ).toBeCloseTo(6, 5)
    const ids = tensor([[2, 0]], { dtype: 'int64' })
    const rows = new Embedding(ramp(3, 2)).forward(ids)
    expect([rows.shape, [...hostFloat32(rows)]]).toEqual([
      [1, 2, 2],
      [1, 6, -6, -1],
    ])
  })

  it('refuse weights of another rank', () => {
    expect(() => new Linear(zeros([2]))).toThrow(
      '[@ao/nn] Expected a weight of 2 dimensions for Linear, got [2].',
    )
    expect(() => new Conv2d(zeros([2, 2]))).toThrow('4 dimensions for Conv2d, got [2, 2].')
  })
})

describe('swapConv2d1x1ToLinear', () => {
  it('replaces what is a linear layer, and computes the same', () => {
    const shared = new Conv2d(ramp(4, 4, 1, 1))
    const model = new Sequential(
      new Conv2d(ramp(4, 3, 1, 1), ramp(4)),
      shared,
      new Conv2d(ramp(4, 4, 3, 3), undefined, { padding: 1 }),
      new Conv2d(ramp(4, 4, 1, 1), undefined, { stride: 2 }),
      shared,
    )
    const x = ramp(2, 3, 5, 4)
    const before = model.forward(x)
    expect(swapConv2d1x1ToLinear(model)).toEqual(['0', '1'])
    expect(model[0]).toBeInstanceOf(ChannelsLastLinear)
    expect(model[4]).toBe(model[1])
    expect([...model.stateDict().keys()].slice(0, 2)).toEqual(['0.mod.weight', '0.mod.bias'])
    const after = model.forward(x)
    expect(after.shape).toEqual(before.shape)
    expect(hostFloat32(after)).toEqual(hostFloat32(before))
  })

  it('refuses what is none, naming it', () => {
    const model = new Sequential(new Conv2d(ramp(4, 3, 1, 1)), new Conv2d(ramp(4, 4, 3, 3)))
    expect(() => swapConv2d1x1ToLinear(model, () => true)).toThrow(
      '[@ao/nn] Expected 1 to have a 1x1 kernel, stride 1, no padding and one group, got in=4, out=4, kernel=[3, 3],',
    )
    expect(model[0]).toBeInstanceOf(Conv2d)
    expect(() => swapConv2d1x1ToLinear(new Conv2d(ramp(4, 3, 1, 1)))).toThrow(
      'which cannot replace itself. Wrap it: new Sequential(conv).',
    )
  })
})

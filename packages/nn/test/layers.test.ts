import { tensor, zeros } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { Embedding, Linear, ReLU, RMSNorm, Sequential, SiLU } from '../src/index.ts'

describe('layers', () => {
  it('prints the tree as PyTorch does, with shapes', () => {
    const model = new Sequential(
      new Linear(zeros([256, 128]), zeros([256])),
      new ReLU(),
      new Linear(zeros([128, 256])),
      new RMSNorm(zeros([128]), 1e-5),
      new Embedding(zeros([10, 4])),
    )
    expect(String(model)).toBe(
      `Sequential(
  (0): Linear(in=128, out=256, bias=true)
  (1): ReLU()
  (2): Linear(in=256, out=128, bias=false)
  (3): RMSNorm([128], eps=0.00001)
  (4): Embedding(10, 4)
)`,
    )
  })

  it('runs', async () => {
    const model = new Sequential(
      new Linear(
        tensor([
          [1, 2],
          [3, -4],
        ]),
        tensor([1, 1]),
      ),
      new ReLU(),
      new SiLU(),
    )
    const y = model.forward(tensor([[1, 1]]))
    expect(y.shape).toEqual([1, 2])
    expect([...model.stateDict().keys()]).toEqual(['0.weight', '0.bias'])
  })
})

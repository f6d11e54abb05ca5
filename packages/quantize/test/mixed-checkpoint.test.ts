import { readFileSync } from 'node:fs'
import {
  arrayFromBytes,
  fromArray,
  hostArray,
  hostFloat32,
  isTensorSubclass,
  toSnakeCase,
  type Json,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig } from '@ao/int8'
import { LayerNorm, Linear, Module, relu } from '@ao/nn'
import { goldenPath, loadTensors } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { configFromJson, quantize_, quantizeStateDict } from '../src/index.ts'

const load = (file: string): Map<string, Tensor> =>
  loadTensors(goldenPath(`checkpoints/mixed/${file}.safetensors`), (dtype, shape, bytes) =>
    fromArray(arrayFromBytes(dtype as StoredDType, bytes), shape, dtype as StoredDType),
  )
const json = JSON.parse(readFileSync(goldenPath('checkpoints/mixed/config.json'), 'utf8')) as Json
const config = configFromJson(json, {
  configs: [Int8WeightOnlyConfig, Int8DynamicActivationInt8WeightConfig],
})
const original = load('original')
const get = (name: string): Tensor => original.get(name) as Tensor

class Mlp extends Module {
  readonly up = new Linear(get('up.weight'), get('up.bias'))
  readonly down = new Linear(get('down.weight'))
  readonly norm = new LayerNorm(get('norm.weight'), get('norm.bias'))
  readonly head = new Linear(get('head.weight'), get('head.bias'))

  forward(x: Tensor): Tensor {
    return this.head.forward(this.norm.forward(this.down.forward(relu(this.up.forward(x)))))
  }
}

/** All tensors of a state dict under the names that torchao's files give them. */
function stored(stateDict: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const entries = [...stateDict].flatMap(([name, tensor]): [string, Tensor][] => {
    if (!isTensorSubclass(tensor)) return [[name, tensor]]
    const prefix = name.replace(/(\w+)$/, '_$1_')
    const inner = Object.entries(tensor.flatten().tensors)
    return inner.map(([field, value]) => [prefix + toSnakeCase(field), value])
  })
  return new Map(entries)
}

function expectGolden(stateDict: ReadonlyMap<string, Tensor>): void {
  const ours = stored(stateDict)
  const golden = load('model')
  expect([...ours.keys()].sort()).toEqual([...golden.keys()].sort())
  for (const [name, tensor] of golden) {
    expect(hostArray(ours.get(name) as Tensor), name).toEqual(hostArray(tensor))
  }
}

describe("torchao's checkpoint of two int8 configs", () => {
  it('comes out the same from a state dict', async () => {
    expectGolden((await quantizeStateDict(original, config)).stateDict)
  })

  it('comes out the same from a model, which then computes the same', async () => {
    const model = new Mlp()
    await quantize_(model, config)
    expectGolden(model.stateDict())
    const io = load('io')
    const y = hostFloat32(model.forward(io.get('x') as Tensor))
    expect(sqnr(hostFloat32(io.get('y') as Tensor), y)).toBeGreaterThan(40)
  })
})

import { readFileSync } from 'node:fs'
import { hostFloat32, isTensorSubclass, linear, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { layerNorm, relu } from '@ao/nn'
import {
  flattenTensorStateDict,
  memoryFolder,
  openCheckpoint,
  serializeSafetensors,
} from '@ao/safetensors'
import { goldenPath, loadTensors, readRawSafetensors } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { elements, fromBytes } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int4TilePackedTo4dTensor } from '../src/index.ts'

const path = (file: string): string => goldenPath(`checkpoints/tile4d/${file}.safetensors`)
const tensors = (file: string): Map<string, Tensor> => loadTensors<Tensor>(path(file), fromBytes)

async function read(file: Uint8Array): Promise<Map<string, Tensor>> {
  const checkpoint = await openCheckpoint(memoryFolder(new Map([['model.safetensors', file]])))
  const formats = [Int4TilePackedTo4dTensor]
  const stateDict = new Map<string, Tensor>()
  for (const name of checkpoint.names) {
    stateDict.set(name, await checkpoint.read(name, { formats }))
  }
  return stateDict
}

/** What torchao was asked to do with the original: groups of 64, every linear layer. */
function quantized(original: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const entries = [...original].map(([name, tensor]): [string, Tensor] => {
    const isLinear = tensor.ndim === 2
    const options = { granularity: PerGroup(64) }
    return [name, isLinear ? Int4TilePackedTo4dTensor.fromHp(tensor, options) : tensor]
  })
  return new Map(entries)
}

function forward(weights: ReadonlyMap<string, Tensor>, x: Tensor): Tensor {
  const get = (name: string): Tensor => weights.get(name) as Tensor
  const up = relu(linear(x, get('up.weight'), get('up.bias')))
  const down = linear(up, get('down.weight'))
  const normal = layerNorm(down, [128], get('norm.weight'), get('norm.bias'))
  return linear(normal, get('head.weight'), get('head.bias'))
}

/** Metadata without the order in which it was written. */
function parsed(metadata: Iterable<readonly [string, string]>): Record<string, unknown> {
  const entries = Array.from(metadata, ([name, json]) => {
    const value = JSON.parse(json) as unknown
    return [name, Array.isArray(value) ? value.toSorted() : value]
  })
  return Object.fromEntries(entries)
}

describe("torchao's checkpoint", () => {
  it('computes what torchao computed', async () => {
    const stateDict = await read(readFileSync(path('model')))
    const weights = [...stateDict.values()].filter(isTensorSubclass)
    expect(weights).toHaveLength(3)
    const io = tensors('io')
    const y = forward(stateDict, io.get('x') as Tensor)
    expect(sqnr(hostFloat32(io.get('y') as Tensor), hostFloat32(y))).toBeGreaterThan(40)
  })

  it('comes out of the original, tensor for tensor and with the same metadata', async () => {
    const ours = flattenTensorStateDict(quantized(tensors('original')))
    const model = tensors('model')
    const stored = new Map(ours.tensors)
    expect([...stored.keys()].sort()).toEqual([...model.keys()].sort())
    for (const [name, tensor] of model) {
      const own = stored.get(name) as Tensor
      expect([own.shape, own.dtype], name).toEqual([tensor.shape, tensor.dtype])
      expect(elements(own), name).toEqual(elements(tensor))
    }
    expect(parsed(ours.metadata)).toEqual(
      parsed(Object.entries(readRawSafetensors(path('model')).metadata)),
    )
  })

  it('can be written and read again', async () => {
    const original = quantized(tensors('original'))
    const flattened = flattenTensorStateDict(original)
    const again = await read(serializeSafetensors(flattened.tensors, flattened.metadata))
    for (const [name, tensor] of original) expect(String(again.get(name))).toBe(String(tensor))
  })
})

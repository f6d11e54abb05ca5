import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  cpu,
  isTensorSubclass,
  itemSize,
  type Device,
  type Storage,
  type StoredDType,
  type Tensor,
  type TypedArray,
} from '@ao/base-tensor'
import { Int8Tensor } from '@ao/int8'
import { folderFrom, type CheckpointFolder } from '@ao/safetensors'
import { describe, expect, it } from 'vitest'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, randomWeights, TINY } from './checkpoints.ts'

/** A device that only keeps count: of what comes and goes, and of host arrays that are still there. */
class CountingDevice implements Device {
  readonly name = 'counting'
  readonly events: string[]
  readonly held = new Set<Storage>()
  readonly hostArrays: WeakRef<TypedArray>[] = []

  constructor(events: string[] = []) {
    this.events = events
  }

  upload(dtype: StoredDType, array: TypedArray): Storage {
    this.events.push(`upload ${array.length} ${dtype}`)
    this.hostArrays.push(new WeakRef(array))
    const storage = { device: this, dtype, length: array.length }
    this.held.add(storage)
    return storage
  }

  free(storage: Storage): void {
    this.held.delete(storage)
  }

  readonly run = refuse
  readonly allocate = refuse
  readonly download = refuse
}

function refuse(): never {
  throw new Error('Loading only uploads.')
}

/** `folder`, with an event for each read of more than a header. */
function watched(folder: CheckpointFolder, events: string[]): CheckpointFolder {
  return folderFrom(folder.name, async (fileName) => {
    const source = await folder.open(fileName)
    if (!source || fileName === 'config.json') return source
    let opened = 0
    return {
      ...source,
      read: (offset, length) => {
        if (++opened > 2) events.push(`read ${length}`)
        return source.read(offset, length)
      },
    }
  })
}

const weights = randomWeights(TINY, 'bfloat16')
const load = LlamaForCausalLM.fromPretrained

describe('loading to a device', () => {
  it('uploads each tensor before the next one is read, as the dtype to compute in', async () => {
    const events: string[] = []
    const device = new CountingDevice(events)
    const model = await load(watched(checkpointFolder(TINY, weights), events), {
      device,
      onProgress: ({ name }) => events.push(name),
    })
    const expected: string[] = []
    for (const name of events.filter(
      (event) => event.startsWith('model.') || event === 'lm_head.weight',
    )) {
      const { numel } = weights.get(name) as Tensor
      expected.push(`read ${2 * numel}`, `upload ${numel} float32`, name)
    }
    expect(events).toEqual(expected)
    expect(events).toHaveLength(3 * weights.size)
    for (const parameter of model.stateDict().values()) expect(parameter.device).toBe(device)
    expect(model.device).toBe(device)
  })

  it('keeps no host copy, and no more than two on the way', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const device = new CountingDevice()
    const alive: number[] = []
    const loading = load(checkpointFolder(TINY, weights), {
      device,
      onProgress: () => {
        // Weak references are kept until the task ends that made them.
        setImmediate(() => {
          collect()
          alive.push(device.hostArrays.filter((array) => array.deref() !== undefined).length)
        })
      },
    })
    await loading
    expect(alive.length).toBeGreaterThan(weights.size / 2)
    expect(Math.max(...alive)).toBeLessThanOrEqual(2)
  })

  it('uploads every part of a quantized tensor', async () => {
    const name = 'model.layers.0.mlp.up_proj.weight'
    const quantized = Int8Tensor.fromHp(weights.get(name) as Tensor, {
      granularity: { type: 'PerRow', dim: -1 },
    })
    const device = new CountingDevice()
    const folder = checkpointFolder(TINY, new Map(weights).set(name, quantized))
    const model = await load(folder, { device, formats: [Int8Tensor] })
    const loaded = model.stateDict().get(name) as Tensor
    expect(isTensorSubclass(loaded) && loaded.device === device).toBe(true)
    const parts = Object.values(quantized.flatten().tensors)
    expect(device.held.size).toBe(weights.size - 1 + parts.length)
    for (const { dtype, numel } of parts) {
      expect(device.events).toContain(`upload ${numel} ${dtype}`)
    }
  })

  it('frees what was uploaded when it fails or is stopped', async () => {
    const device = new CountingDevice()
    const loading = load(checkpointFolder(TINY, weights), {
      device,
      onProgress: ({ done }) => {
        if (done < 5) return
        expect(device.held.size).toBe(5)
        throw new Error('enough')
      },
    })
    await expect(loading).rejects.toThrow('enough')
    expect(device.held.size).toBe(0)
  })

  it('takes the CPU for what it is', async () => {
    const model = await load(checkpointFolder(TINY, weights), { device: cpu })
    for (const parameter of model.stateDict().values()) expect(parameter.device).toBe(cpu)
    expect([...model.stateDict().values()].every(({ dtype }) => itemSize(dtype) === 4)).toBe(true)
    expect(model.forward([1, 2]).shape).toEqual([2, TINY.vocab_size])
  })
})

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  add,
  asDense,
  cast,
  fromArray,
  hostFloat32,
  meta,
  nextTask,
  tensor,
  zeros,
  type QuantizationConfig,
  type Tensor,
} from '@ao/base-tensor'
import { Embedding, LayerNorm, Linear, Module, ReLU, Sequential } from '@ao/nn'
import { describe, expect, it } from 'vitest'
import { isLinear, quantize_, type QuantizeProgress } from '../src/index.ts'
import { FarDevice, StepConfig, StepTensor } from './stand-ins.ts'

class Tied extends Module {
  readonly embed = new Embedding(zeros([8, 4]))
  readonly up = new Linear(zeros([4, 4]))
  readonly down = new Linear(this.up.weight)
  readonly head = new Linear(this.embed.weight)
}

describe('quantize_', () => {
  it('replaces weights in place, and reports every parameter once', async () => {
    const model = new Sequential(
      new Linear(
        tensor([
          [0.6, -1.2],
          [2, 3],
        ]),
        tensor([1, 1]),
      ),
      new ReLU(),
      new LayerNorm(zeros([2])),
      new Linear(zeros([4, 3])),
    )
    const report = await quantize_(model, new StepConfig(0.5))
    expect(report).toEqual({
      quantized: [{ name: '0.weight', before: 16, after: 4, format: 'StepTensor' }],
      skipped: [
        { name: '0.bias', reason: 'it is not a weight' },
        { name: '2.weight', reason: 'its module is not a linear layer' },
        { name: '3.weight', reason: 'its rows have 3 elements, an odd number' },
      ],
      unusedKeys: [],
    })
    const y = (model[0] as Linear).forward(tensor([[1, 1]]))
    expect([...hostFloat32(y)]).toEqual([0.5, 6])
    expect(String(model)).toContain('(0): Linear(in=2, out=2, bias=true, weight=StepTensor())')
  })

  it('frees what it replaced on devices that have scopes, unless it is shared', async () => {
    const far = new FarDevice()
    const config: QuantizationConfig = {
      configName: 'FarConfig',
      // The sum is free afterwards, too.
      quantizeTensor: (weight) => {
        const qdata = asDense(cast(add(weight, weight), 'int8'))
        return new StepTensor({ qdata, step: 0.5, dtype: weight.dtype })
      },
      toJSON: () => null,
    }
    const model = await new Tied().to(far)
    const embedding = asDense(model.embed.weight).storage
    const shared = asDense(model.up.weight).storage
    const report = await quantize_(model, config)
    expect(report.quantized.map(({ name }) => name)).toEqual([
      'up.weight',
      'down.weight',
      'head.weight',
    ])
    expect(far.used.has(embedding)).toBe(true)
    expect(far.used.has(shared)).toBe(false)
    const parameters = new Set([...model.stateDict().values()])
    expect(far.used.size).toBe(parameters.size)
  })

  it('lets the event loop run after each weight', async () => {
    const model = new Sequential(...[0, 1, 2, 3].map(() => new Linear(zeros([2, 2]))))
    const events: string[] = []
    const onProgress = ({ name }: QuantizeProgress): void => {
      events.push(name)
      void nextTask().then(() => events.push(`after ${name}`))
    }
    await quantize_(model, new StepConfig(), { onProgress })
    for (const i of [0, 1]) {
      const next = events.indexOf(`${i + 2}.weight`)
      expect(events.slice(0, next)).toContain(`after ${i}.weight`)
    }
  })

  it('never quantizes twice', async () => {
    const model = new Sequential(new Linear(zeros([2, 2])))
    await quantize_(model, new StepConfig())
    const again = new StepConfig()
    const report = await quantize_(model, again)
    expect(again.asked).toEqual([])
    expect(report.skipped).toEqual([
      { name: '0.weight', reason: 'it is quantized already, as StepTensor' },
    ])
  })

  it('quantizes a shared weight once; who was not selected keeps the float one', async () => {
    const model = new Tied()
    const config = new StepConfig()
    const report = await quantize_(model, config)
    expect(config.asked).toEqual(['up.weight', 'head.weight'])
    expect(report.quantized.map(({ name }) => name)).toEqual([
      'up.weight',
      'down.weight',
      'head.weight',
    ])
    expect(model.up.weight).toBe(model.down.weight)
    expect(model.embed.weight.dispatchOp).toBeUndefined()
    expect(model.head.weight).toBeInstanceOf(StepTensor)
  })

  it('asks a filter about modules with a weight, by full name', async () => {
    const model = new Tied()
    const asked: string[] = []
    const { quantized, skipped } = await quantize_(model, new StepConfig(), {
      filter: (module, fqn) => {
        asked.push(fqn)
        return module instanceof Embedding || fqn === 'up'
      },
    })
    expect(asked).toEqual(['embed', 'up', 'down', 'head'])
    expect(quantized.map(({ name }) => name)).toEqual(['embed.weight', 'up.weight'])
    expect(skipped).toEqual([
      { name: 'down.weight', reason: 'the filter left it out' },
      { name: 'head.weight', reason: 'the filter left it out' },
    ])
  })

  it('lets go of each float weight once it is replaced', async () => {
    const model = new Sequential(new Linear(zeros([2, 2])), new Linear(zeros([2, 2])))
    const first = new WeakRef((model[0] as Linear).weight)
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const alive: boolean[] = []
    await quantize_(model, new StepConfig(), {
      onProgress: async () => {
        await new Promise((resolve) => setTimeout(resolve))
        collect()
        alive.push(first.deref() !== undefined)
      },
    })
    expect(alive.at(-1)).toBe(false)
  })

  it('leaves integers alone', async () => {
    const { skipped } = await quantize_(new Linear(zeros([2, 2], 'int8')), new StepConfig())
    expect(skipped).toEqual([{ name: 'weight', reason: 'its dtype is int8' }])
  })

  it('tells its progress, and waits for who is told', async () => {
    const seen: (QuantizeProgress & { quantized: boolean })[] = []
    const model = new Tied()
    await quantize_(model, new StepConfig(), {
      onProgress: async (progress) => {
        await Promise.resolve()
        seen.push({ ...progress, quantized: model.down.weight instanceof StepTensor })
      },
    })
    expect(seen).toEqual([
      { name: 'up.weight', done: 1, total: 3, quantized: false },
      { name: 'down.weight', done: 2, total: 3, quantized: true },
      { name: 'head.weight', done: 3, total: 3, quantized: true },
    ])
  })

  it('moves the model to a device, and plans on meta', async () => {
    const model = new Tied()
    await quantize_(model, new StepConfig(), { device: meta })
    expect([...model.stateDict().values()].map(({ device }) => device.name)).toEqual(
      Array(4).fill('meta'),
    )
    expect(model.up.weight).toBe(model.down.weight)
    const planned = await new Tied().to(meta)
    const { quantized } = await quantize_(planned, new StepConfig())
    expect(quantized.map(({ after }) => after)).toEqual([16, 16, 32])
  })
})

describe('numbers that are not finite', () => {
  const weights: [string, () => Tensor][] = [
    [
      'float32',
      () =>
        tensor([
          [1, 2, 3, 4],
          [5, NaN, -Infinity, 8],
        ]),
    ],
    [
      'bfloat16',
      () =>
        tensor(
          [
            [1, 2, 3, 4],
            [5, NaN, -Infinity, 8],
          ],
          { dtype: 'bfloat16' },
        ),
    ],
    [
      'float16',
      () =>
        tensor(
          [
            [1, 2, 3, 4],
            [5, NaN, -Infinity, 65504],
          ],
          { dtype: 'float16' },
        ),
    ],
  ]

  it.each(weights)('are refused in %s, unless allowed', async (_dtype, make) => {
    const model = new Sequential(new Linear(zeros([2, 2])), new Linear(make()))
    await expect(quantize_(model, new StepConfig())).rejects.toThrow(
      '[@ao/quantize] Expected finite numbers in 1.weight, got 2 that are NaN or infinite, the first at [1, 1]. Repair the checkpoint, leave this weight out, or pass { allowNonFinite: true }.',
    )
    expect(model.stateDict().get('0.weight')).toBeInstanceOf(StepTensor)
    await quantize_(model, new StepConfig(), { allowNonFinite: true })
    expect(model.stateDict().get('1.weight')).toBeInstanceOf(StepTensor)
  })

  it('are found in views and on other devices', async () => {
    const view = tensor([
      [1, NaN],
      [3, 4],
    ]).transpose(0, 1)
    await expect(quantize_(new Linear(view), new StepConfig())).rejects.toThrow(
      'got 1 that is NaN or infinite, the first at [1, 0].',
    )
    for (const elements of [
      [1, Infinity],
      [1, NaN],
    ]) {
      const weight = await tensor([elements]).to(new FarDevice())
      await expect(quantize_(new Linear(weight), new StepConfig())).rejects.toThrow(
        'the first at [0, 1]',
      )
    }
  })

  it('are found in a part of an array', async () => {
    const part = fromArray(Float32Array.of(NaN, 1, 2, 3, 4).subarray(1), [2, 2], 'float32')
    await expect(quantize_(new Linear(part), new StepConfig())).resolves.toBeDefined()
  })
})

describe('errors', () => {
  it('of a config name the weight', async () => {
    const promise = quantize_(new Sequential(new Linear(zeros([2, 13]))), new StepConfig())
    await expect(promise).rejects.toThrow(
      '[@ao/quantize] Expected StepConfig to quantize 0.weight (tensor([2, 13], dtype=float32)), got an error: [@ao/step] Expected rows of another length, got 13. Leave this weight out (with a filter, or null in FqnToConfig) or change the config.',
    )
    await expect(promise).rejects.toMatchObject({ cause: { package: '@ao/step' } })
  })

  it('for what is no config', async () => {
    await expect(quantize_(new Tied(), (() => 1) as never)).rejects.toThrow(
      '[@ao/quantize] Expected a config, such as new Int8WeightOnlyConfig(), got function.',
    )
  })
})

describe('isLinear', () => {
  it('goes by what a module has', async () => {
    class Lora extends Module {
      readonly weight = zeros([4, 2])
      readonly inFeatures = 2
      readonly outFeatures = 4
    }
    const quantized = new Linear(zeros([2, 2]))
    await quantize_(quantized, new StepConfig())
    const modules = [
      new Linear(zeros([4, 2])),
      new Lora(),
      new Embedding(zeros([4, 2])),
      new ReLU(),
      quantized,
    ]
    expect(modules.map(isLinear)).toEqual([true, true, false, false, false])
  })
})

import {
  cpu,
  DenseTensor,
  fromArray,
  fromFloat32Array,
  hostArray,
  hostFloat32,
  readFloat32,
  tensor,
  zeros,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { webgpuKernels } from '@ao/text-generation/webgpu'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { addRmsNorm } from '../src/ops/add-rms-norm.ts'
import { attention } from '../src/ops/attention.ts'
import type { AttentionOptions } from '../src/ops/attention-options.ts'
import { argmaxTokens, topKTokens } from '../src/ops/choose.ts'
import { gatedActivation } from '../src/ops/gated-activation.ts'
import { ropeAppend } from '../src/ops/rope-append.ts'
import { rope } from '../src/ops/rope.ts'
import { tokenNll } from '../src/ops/token-nll.ts'

const kernels = [denseKernels, webgpuKernels]
const gpu = await testGPU()
const validation = await validationGPU()
const device = (gpu && (await WebGPUDevice.create({ gpu, kernels }))) as WebGPUDevice
const FLOATS: readonly FloatDType[] = ['float32', 'float16', 'bfloat16']

function numbers(shape: number[], dtype: StoredDType = 'float32', scale = 2): DenseTensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i * i * 0.7 + 0.3) * scale)
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

describe.skipIf(!gpu)('elementwise ops', () => {
  it.each(FLOATS)('of %s', async (dtype) => {
    const [x, y] = [numbers([3, 24], dtype), numbers([3, 24], dtype, 5)]
    for (const activation of ['silu', 'gelu', 'gelu_tanh'] as const) {
      await expectReference(device, gatedActivation, [x, y, activation])
    }
    for (const rows of [3, 1]) {
      const args = [x.narrow(0, 0, rows), y.narrow(0, 0, rows), numbers([24], dtype), 1e-5] as const
      await expectReference(device, addRmsNorm, [...args])
      await expectReference(device, addRmsNorm, [...args, { weightOffset: 1 }])
    }
    const [cos, sin] = [numbers([9, 4], dtype, 1), numbers([9, 4], dtype, 1)]
    for (const headDim of [8, 14]) {
      for (const interleaved of [false, true]) {
        const x = numbers([3, 2, headDim], dtype)
        await expectReference(device, rope, [x, cos, sin, 5, { interleaved }])
      }
    }
  })

  it.each(
    FLOATS.flatMap((dtype) => [
      { dtype, headDim: 16, pairs: 8, variant: 'in one' },
      { dtype, headDim: 12, pairs: 6, variant: 'in one, any pairs' },
      { dtype, headDim: 16, pairs: 3, variant: 'in one, any pairs' },
      { dtype, headDim: 16, pairs: 8, interleaved: true, variant: 'in one, any pairs' },
      { dtype, headDim: 20, pairs: 4, interleaved: true, variant: 'in one, any pairs' },
    ]),
  )(
    'ropeAppend of $dtype writes the cache: $pairs pairs of $headDim, $interleaved',
    async ({ dtype, headDim, pairs, variant, ...options }) => {
      const args = [
        ...[numbers([2, 4, headDim], dtype), numbers([2, 2, headDim], dtype)],
        ...[numbers([2, 2, headDim], dtype, 7)],
        ...[numbers([9, pairs], dtype, 1), numbers([9, pairs], dtype, 1)],
      ] as Tensor[] as [Tensor, Tensor, Tensor, Tensor, Tensor]
      const caches = (): [DenseTensor, DenseTensor] => [
        numbers([6, 2, headDim], dtype),
        numbers([6, 2, headDim], dtype),
      ]
      await expectReference(device, ropeAppend, [...args, ...caches(), 3, options])
      const host = caches()
      ropeAppend(...args, ...host, 3, options)
      const there = (await Promise.all(caches().map((each) => each.to(device)))) as typeof host
      const moved = (await Promise.all(args.map((arg) => arg.to(device)))) as typeof args
      const counted = { counter: { value: 1 }, plus: 2 }
      const [explained] = device.explain(ropeAppend, [...moved, ...there, counted, options])
      expect(explained?.variant).toBe(variant)
      for (const [i, cache] of there.entries()) {
        expect(await readFloat32(cache)).toEqual(await readFloat32(host[i] as Tensor))
      }
    },
  )

  it('ropeAppend at a counted position is refused where a replay would not count it', () => {
    const at = (...shape: number[]): DenseTensor => device.empty(shape, 'float32')
    const cache = at(6, 2, 6)
    const args = [at(1, 2, 6), at(1, 2, 6), at(1, 2, 6), at(9, 3), at(9, 3), cache, cache] as const
    expect(() => ropeAppend(...args, { counter: { value: 1 }, plus: 0 })).toThrow('any pairs')
  })
})

describe.skipIf(!gpu)('attention', () => {
  it.each([
    { tokens: 1, length: 1, dtype: 'float32' },
    { tokens: 1, length: 300, dtype: 'float32' },
    { tokens: 1, length: 700, dtype: 'bfloat16' },
    { tokens: 5, length: 5, dtype: 'float32' },
    { tokens: 40, length: 83, dtype: 'float16' },
  ] as const)(
    'of $tokens tokens, $length in the cache, $dtype',
    async ({ tokens, length, dtype }) => {
      const q = numbers([tokens, 4, 24], dtype, 4)
      const cache = (): DenseTensor => numbers([length + 3, 2, 24], dtype, 3)
      await expectReference(device, attention, [q, cache(), cache(), length])
    },
  )

  // Each is a program of its own, so that they come together where they can.
  const OPTIONS: readonly (AttentionOptions & { sinks?: boolean; mask?: boolean })[] = [
    { scale: 0.03, slidingWindow: 1 },
    { slidingWindow: 140 },
    { softcap: 0.25 },
    { sinks: true, mask: true },
    { isCausal: false, slidingWindow: 5 },
    { isCausal: false, mask: true, sinks: true },
    { scale: 0.5, slidingWindow: 9, softcap: 2.5, sinks: true, mask: true },
  ]

  it.each(OPTIONS)('with %j', async ({ sinks, mask, ...options }) => {
    const rows = (count: number, dtype: FloatDType): DenseTensor =>
      numbers([count, 2, 24], dtype, 3)
    const [isCausal = true, dtype = 'float32'] = [options.isCausal, 'float32'] as const
    // As one decodes, in a small and in a large cache; a prompt; a prompt after another; padding.
    const calls = [[1, 9], [1, 300], [21, 83], isCausal ? [21, 21] : [40, 11]]
    for (const [tokens, length] of calls as [number, number][]) {
      const capacity = Math.max(tokens, length) + 3
      const keyMask = Int32Array.from({ length: capacity }, (_, i) => ((i * i) % 5 > 1 ? 7 : 0))
      const args = [
        ...[numbers([tokens, 4, 24], dtype, 4), rows(capacity, dtype), rows(capacity, dtype)],
        ...[length, options, sinks ? tensor([-4, 0, 3, 9]) : undefined],
        mask ? fromArray(keyMask, [capacity], 'int32') : undefined,
      ] as unknown as Parameters<typeof attention>
      await expectReference(device, attention, args)
    }
  })

  it('gives 0 to queries that see no key', async () => {
    const keyMask = zeros([320], 'int32')
    for (const [tokens, length] of [
      [1, 5],
      [1, 300],
      [18, 40],
    ] as const) {
      const [q, cache] = [numbers([tokens, 4, 24]), numbers([320, 2, 24])]
      const moved = [q, cache, cache.clone(), keyMask].map((each) => each.to(device))
      const [query, keys, values, hidden] = (await Promise.all(moved)) as readonly Tensor[] as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      const out = attention(query, keys, values, length, {}, undefined, hidden)
      expect(new Set(await readFloat32(out))).toEqual(new Set([0]))
      expect(
        new Set(hostFloat32(attention(q, cache, cache, length, {}, undefined, keyMask))),
      ).toEqual(new Set([0]))
    }
  })

  it('without subgroups, and of scores that would overflow exp', async () => {
    const plain = await WebGPUDevice.create({
      gpu: gpu as GPU,
      kernels,
      capabilities: { subgroups: false },
    })
    const args = (tokens: number) =>
      [
        numbers([tokens, 4, 24], 'float32', 400),
        numbers([9, 2, 24], 'float32', 50),
        numbers([9, 2, 24]),
        9,
      ] as const
    await expectReference(plain, attention, [...args(1)], 1e-4)
    await expectReference(device, attention, [...args(3)], 1e-4)
    plain.destroy()
  })

  it('says which kernel runs', async () => {
    const variant = (tokens: number, length: number): string | undefined => {
      const [q, cache] = [
        device.empty([tokens, 4, 24], 'float32'),
        device.empty([length, 2, 24], 'float32'),
      ]
      return device.explain(attention, [q, cache, cache, length])[0]?.variant
    }
    expect([variant(1, 5), variant(1, 513), variant(2, 5)]).toEqual([
      'decode',
      'decode in parts',
      'prefill',
    ])
  })
})

describe.skipIf(!gpu)('choosing tokens', () => {
  it('argmax takes the lowest id among equals, and -1 for NaN', async () => {
    const logits = numbers([3, 9000])
    hostArray(logits)[8999] = 7
    hostArray(logits)[9000 + 4500] = 8
    hostArray(logits)[9000 + 8500] = 8
    await expectReference(device, argmaxTokens, [logits])
    hostArray(logits)[20000] = NaN
    const ids = await argmaxTokens(await logits.to(device)).to(cpu)
    expect([...(hostArray(ids) as Int32Array)]).toEqual([8999, 4500, -1])
    await expectReference(device, argmaxTokens, [numbers([1, 50], 'bfloat16')])
    await expectReference(device, argmaxTokens, [tensor([[-0, 0, -1]])])
    await expectReference(device, argmaxTokens, [tensor([[-3, -2, -2]])])
  })

  it('top-k keeps the lowest ids among equals', async () => {
    const even = numbers([1, 3000])
    for (const k of [1, 7, 1000]) await expectReference(device, topKTokens, [even, k])
    const equal = tensor([Array.from({ length: 700 }, (_, i) => i % 3)])
    for (const k of [5, 233, 300, 700]) await expectReference(device, topKTokens, [equal, k])
  })

  it('tokenNll', async () => {
    const targets = tensor([3, 0, 699], { dtype: 'int32' })
    await expectReference(device, tokenNll, [numbers([3, 700], 'float32', 80), targets])
    await expectReference(device, tokenNll, [numbers([3, 701], 'bfloat16'), targets])
  })
})

describe.skipIf(!validation)('on a GPU with all features', () => {
  it('all variants compile', async () => {
    for (const subgroups of [true, false]) {
      const capabilities = { subgroups }
      const on = await WebGPUDevice.create({ gpu: validation as GPU, kernels, capabilities })
      for (const dtype of FLOATS) {
        const empty = (...shape: number[]): DenseTensor => on.empty(shape, dtype)
        for (const headDim of [64, 128]) {
          const cache = empty(1000, 8, headDim)
          for (const tokens of [1, 30]) {
            const [q, k, half] = [
              empty(tokens, 32, headDim),
              empty(tokens, 8, headDim),
              empty(1000, headDim / 2),
            ]
            const [sinks, mask] = [empty(32), on.empty([1000], 'int32')]
            const options = { slidingWindow: 64, softcap: 50, isCausal: false }
            for (const length of [100, 1000]) {
              attention(q, cache, cache, length)
              attention(q, cache, cache, length, options, sinks, mask)
            }
            for (const interleaved of [false, true]) {
              const args = [half, half.clone(), cache, cache.clone(), 0, { interleaved }] as const
              ropeAppend(q, k, k.clone(), ...args)
            }
            rope(q, half, half, 0)
          }
        }
        addRmsNorm(empty(2, 8), empty(2, 8), empty(8), 1e-5)
        for (const activation of ['silu', 'gelu', 'gelu_tanh'] as const) {
          gatedActivation(empty(2, 8), empty(2, 8), activation)
        }
        argmaxTokens(empty(1, 999))
        topKTokens(empty(1, 999), 10)
        tokenNll(empty(1, 999), on.empty([1], 'int32'))
      }
      await expect(on.finish()).resolves.toBeUndefined()
      on.destroy()
    }
  })
})

import { linear, MissingKernelError, readFloat32, tensor } from '@ao/base-tensor'
import { PerGroup, PerRow } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { normalNumbers, sqnr } from '@ao/test-kit'
import { describe, expect, it, vi } from 'vitest'
import { create, globals } from 'webgpu'
import { ternaryLinear, TernaryTensor } from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

vi.setConfig({ testTimeout: 120_000 }) // a GPU in software is slow
Object.assign(globalThis, globals)
const gpu = create([])
const device = await WebGPUDevice.create({ gpu, kernels: [denseKernels, webgpuKernels] })

const dense = tensor(normalNumbers(40 * 1280), { shape: [40, 1280] })
const bias = tensor(normalNumbers(40, 3))

describe.each([PerRow(), PerGroup(64)])('ternary linear on the GPU, $type', (granularity) => {
  const weight = TernaryTensor.fromHp(dense, { granularity })

  it.each(['float32', 'float16', 'bfloat16'] as const)(
    'keeps to the reference in %s',
    async (dtype) => {
      const x = tensor(normalNumbers(3 * 1280, 2), { shape: [3, 1280], dtype })
      for (const add of [undefined, bias]) {
        const { count, nmse } = await expectReference(device, ternaryLinear, [x, weight.parts, add])
        expect(count).toBe(120)
        expect(nmse).toBeLessThanOrEqual(1e-6)
      }
    },
  )

  it('runs where a plain linear is called', async () => {
    const x = tensor(normalNumbers(1280, 2), { shape: [1, 1280] })
    const y = linear(await x.to(device), await weight.to(device))
    expect(sqnr(await readFloat32(linear(x, weight)), await readFloat32(y))).toBeGreaterThan(100)
  })
})

it('says what is missing where the kernel was not passed', async () => {
  const plain = await WebGPUDevice.create({ gpu, kernels: [denseKernels] })
  const weight = await TernaryTensor.fromHp(dense).to(plain)
  const x = await tensor(normalNumbers(1280), { shape: [1, 1280] }).to(plain)
  expect(() => linear(x, weight)).toThrow(MissingKernelError)
  expect(() => linear(x, weight)).toThrow('ternary.linear')
})

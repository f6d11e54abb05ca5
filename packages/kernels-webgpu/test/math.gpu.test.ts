import {
  add,
  bmm,
  cpu,
  DenseTensor,
  embedding,
  fromFloat32Array,
  linear,
  matmul,
  mul,
  tensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()
const validation = await validationGPU()
const make = (capabilities: object = {}): Promise<WebGPUDevice> =>
  WebGPUDevice.create({ gpu: gpu as GPU, kernels: [denseKernels], capabilities })
// One for all tests: programs are compiled once.
const device = (gpu && (await make())) as WebGPUDevice

const FLOATS: readonly FloatDType[] = ['float32', 'float16', 'bfloat16']

function numbers(shape: number[], dtype: StoredDType = 'float32', scale = 1): DenseTensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i * i * 0.7 + 0.3) * scale)
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

describe.skipIf(!gpu)('linear', () => {
  it.each(FLOATS.flatMap((x) => FLOATS.map((weight) => [x, weight] as const)))(
    'one row of %s by a weight of %s',
    async (x, weight) => {
      await expectReference(device, linear, [numbers([1, 64], x), numbers([22, 64], weight)])
    },
  )

  it('rows of a small batch, with a bias', async () => {
    const plain = await make({ subgroups: false })
    const args = (m: number) =>
      [numbers([m, 48], 'bfloat16'), numbers([68, 48], 'bfloat16'), numbers([68])] as const
    await expectReference(device, linear, [...args(3)])
    await expectReference(plain, linear, [...args(3)])
    await expectReference(device, linear, [...args(8)])
    expect(await variant(device, ...args(3))).toBe('gemv, subgroups')
    expect(await variant(plain, ...args(3))).toBe('gemv')
    plain.destroy()
  })

  it('any K and N', async () => {
    const args = [numbers([2, 3, 7], 'bfloat16'), numbers([5, 7], 'float16')] as const
    await expectReference(device, linear, [...args])
    expect(await variant(device, ...args)).toBe('gemm 64 x 64, single elements')
    await expectReference(device, linear, [numbers([1, 16], 'float16'), numbers([3, 16])])
  })

  it('large numbers stay finite in float32', async () => {
    const args = [numbers([2, 4096], 'float32', 3e4), numbers([4, 4096], 'float16', 6e4)] as const
    await expectReference(device, linear, [...args])
  })

  it('a weight above the binding limit, in parts, for one row and for many with a bias', async () => {
    const device = await make({ maxBindingSize: 4096 })
    await expectReference(device, linear, [numbers([1, 32]), numbers([203, 32])])
    const args = [numbers([70, 32], 'bfloat16'), numbers([203, 32], 'bfloat16')] as const
    await expectReference(device, linear, [...args, numbers([203])])
    expect(await variant(device, ...args, numbers([203]))).toBe('gemm 64 x 64')
    const ids = tensor([0, 150, 202, 31, 32], { dtype: 'int32' })
    await expectReference(device, embedding, [ids, numbers([203, 32])])
  })
})

describe.skipIf(!gpu)('matmul, bmm, add, mul, embedding', () => {
  it('matmul and bmm', async () => {
    await expectReference(device, matmul, [numbers([9, 5]), numbers([5, 66])])
    const [left, right] = [numbers([9, 5], 'bfloat16'), numbers([66, 5], 'float16')]
    const turned = (await right.to(device)).transpose(0, 1)
    const product = await matmul(await left.to(device), turned).to(cpu)
    const expected = matmul(left, right.transpose(0, 1))
    expect(String(product)).toBe(String(expected))
    await expectReference(device, bmm, [numbers([3, 4, 5]), numbers([3, 5, 6])])
    await expect(async () =>
      matmul(await numbers([9, 5]).to(device), await numbers([9, 5]).to(device)),
    ).rejects.toThrow('Expected shapes [M, K] and [K, N], got [9, 5] and [9, 5]')
  })

  it.each(FLOATS)('add and mul of %s', async (dtype) => {
    for (const op of [add, mul]) {
      await expectReference(device, op, [numbers([3, 7], dtype), numbers([3, 7], dtype, 9)])
    }
    await expectReference(device, add, [numbers([3, 1, 5], dtype), numbers([4, 1])])
    await expectReference(device, mul, [numbers([3, 7], dtype), numbers([], 'float32', 3)])
  })

  it('adds integers, and integers to floats', async () => {
    const ints = numbers([10], 'int32', 100)
    await expectReference(device, add, [ints, numbers([10], 'int32', 70)])
    await expectReference(device, mul, [ints, numbers([10], 'bfloat16', 70)])
  })

  it('embedding of every dtype of ids and tables', async () => {
    for (const dtype of ['float32', 'bfloat16', 'int8'] as const) {
      const table = numbers([6, 8], dtype, 50)
      for (const ids of ['int32', 'int64', 'uint8'] as const) {
        await expectReference(device, embedding, [
          tensor(
            [
              [5, 0],
              [2, 5],
            ],
            { dtype: ids },
          ),
          table,
        ])
      }
    }
    const odd = numbers([6, 3], 'float16')
    await expectReference(device, embedding, [tensor([5, 1], { dtype: 'int32' }), odd])
  })
})

/** Which variant of linear runs: on arguments that it ran on before, so that nothing new is compiled. */
async function variant(
  on: WebGPUDevice,
  ...args: readonly DenseTensor[]
): Promise<string | undefined> {
  const [input, weight, bias] = await Promise.all(args.map((tensor) => tensor.to(on)))
  return on
    .explain(linear, [input as Tensor, weight as Tensor, bias])
    .find(({ op }) => op === linear.opName)?.variant
}

describe.skipIf(!validation)('on a GPU with all features', () => {
  it('all variants compile', async () => {
    const device = await WebGPUDevice.create({ gpu: validation as GPU, kernels: [denseKernels] })
    const plain = await WebGPUDevice.create({
      gpu: validation as GPU,
      kernels: [denseKernels],
      capabilities: { subgroups: false, f16: false },
    })
    for (const on of [device, plain]) {
      for (const dtype of FLOATS) {
        for (const m of [1, 4, 70]) {
          for (const k of [64, 7]) {
            const [x, weight] = [on.empty([m, k], dtype), on.empty([12, k], dtype)]
            linear(x, weight, on.empty([12], dtype))
            matmul(x, on.empty([k, 5], dtype))
          }
        }
      }
      await expect(on.finish()).resolves.toBeUndefined()
      on.destroy()
    }
  })
})

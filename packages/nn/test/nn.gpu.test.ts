import { cpu, DenseTensor, fromFloat32Array, type StoredDType } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { gelu, geluTanh, layerNorm, relu, rmsNorm, silu, softmax } from '@ao/nn'
import { webgpuKernels } from '@ao/nn/webgpu'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const kernels = [denseKernels, webgpuKernels]
const gpu = await testGPU()
const validation = await validationGPU()
const device = (gpu && (await WebGPUDevice.create({ gpu, kernels }))) as WebGPUDevice
const FLOATS = ['float32', 'float16', 'bfloat16'] as const

function numbers(shape: number[], dtype: StoredDType = 'float32', scale = 3): DenseTensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i * i * 0.7 + 0.3) * scale)
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

describe.skipIf(!gpu)('kernels of nn', () => {
  it.each([relu, silu, gelu, geluTanh])('$opName', async (op) => {
    for (const dtype of FLOATS) await expectReference(device, op, [numbers([5, 7], dtype)])
    await expectReference(device, op, [numbers([5, 7], 'float32', 500)])
  })

  it.each(FLOATS)('norms of %s', async (dtype) => {
    const input = numbers([2, 3, 20], dtype)
    await expectReference(device, rmsNorm, [input, numbers([20], dtype), 1e-5])
    if (dtype === 'float16') await expectReference(device, rmsNorm, [input, numbers([20]), 1e-5])
    const [weight, bias] = [numbers([3, 20], dtype), numbers([3, 20], dtype, 1)]
    await expectReference(device, layerNorm, [input, [3, 20], weight, bias])
    if (dtype === 'bfloat16') {
      const odd = numbers([4, 7], dtype)
      await expectReference(device, rmsNorm, [odd, numbers([7], dtype), 1e-5])
      await expectReference(device, layerNorm, [odd, [7]])
    }
  })

  it('long rows, and GPUs without subgroups', async () => {
    const plain = await WebGPUDevice.create({
      gpu: gpu as GPU,
      kernels,
      capabilities: { subgroups: false },
    })
    for (const on of [device, plain]) {
      await expectReference(on, rmsNorm, [numbers([2, 3000]), numbers([3000]), 1e-5])
      await expectReference(on, softmax, [numbers([2, 900])])
    }
    plain.destroy()
  })

  it('softmax along any dimension', async () => {
    for (const dim of [0, 1, -1]) await expectReference(device, softmax, [numbers([3, 4, 5]), dim])
    await expectReference(device, softmax, [numbers([3, 40], 'bfloat16', 30)])
    await expectReference(device, softmax, [numbers([3, 40], 'float32', 3e4)])
  })
})

describe.skipIf(!validation)('on a GPU with all features', () => {
  it('all variants compile', async () => {
    for (const subgroups of [true, false]) {
      const on = await WebGPUDevice.create({
        gpu: validation as GPU,
        kernels,
        capabilities: { subgroups },
      })
      for (const dtype of FLOATS) {
        for (const size of [8, 7]) {
          const [x, weight] = [on.empty([3, size], dtype), on.empty([size], dtype)]
          rmsNorm(x, weight, 1e-5)
          layerNorm(x, [size], weight, weight)
          softmax(x)
          for (const op of [relu, silu, gelu, geluTanh]) op(x)
        }
      }
      await expect(on.finish()).resolves.toBeUndefined()
      on.destroy()
    }
  })
})

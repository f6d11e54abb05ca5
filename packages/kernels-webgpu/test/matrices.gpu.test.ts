import { cpu, DenseTensor, fromFloat32Array, linear, type FloatDType } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice, type Capabilities } from '@ao/kernels-webgpu'
import { chooseTile, denseMatrices, MATRIX_TUNING } from '@ao/kernels-webgpu/matrices'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()
const nothing = await validationGPU()

function numbers(shape: readonly number[], dtype: FloatDType = 'float16'): DenseTensor {
  const length = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898) * 2)
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

const TILE = { m: 8, n: 16, subgroupM: 4, subgroupN: 8, step: 64 }
const ALONE = { minRows: 2, wantedWorkgroups: 1, tiles: [TILE], isAlone: true }

describe.skipIf(!gpu)('dense products by matrices', () => {
  it.each([
    ['one buffer', 64, ALONE],
    ['two buffers', 64, { ...ALONE, tiles: [{ ...TILE, buffers: 2 as const }] }],
    ['K that the step does not divide', 96, ALONE],
  ])('are those of the reference: %s', async (_name, k, tuning) => {
    const kernels = [denseKernels, denseMatrices(tuning)]
    const device = await WebGPUDevice.create({ gpu: gpu as GPU, kernels })
    // Sizes that no tile divides.
    const [x, weight] = [numbers([19, k]), numbers([42, k])]
    await expectReference(device, linear, [x, weight, undefined], 1e-6)
    await expectReference(device, linear, [x, weight, numbers([42])], 1e-6)
    await expectReference(device, linear, [x, weight, numbers([42], 'float32')], 1e-6)
    const there = await Promise.all([x, weight].map((tensor) => tensor.to(device)))
    const [explanation] = device.explain(linear, [there[0] as DenseTensor, there[1] as DenseTensor])
    expect(explanation?.variant).toBe('matrices of float16')
    device.destroy()
  })

  it('leave the rest to other kernels', async () => {
    const kernels = [denseKernels, denseMatrices(ALONE)]
    const device = await WebGPUDevice.create({ gpu: gpu as GPU, kernels })
    const variantOf = async (x: DenseTensor, weight: DenseTensor): Promise<string | undefined> =>
      device.explain(linear, [await x.to(device), await weight.to(device)])[0]?.variant
    expect(await variantOf(numbers([1, 64]), numbers([42, 64]))).toMatch(/^gemv/)
    expect(await variantOf(numbers([19, 68]), numbers([42, 68]))).toMatch(/^gemm/)
    expect(await variantOf(numbers([19, 64], 'float32'), numbers([42, 64], 'float32'))).toMatch(
      /^gemm/,
    )
    expect(await variantOf(numbers([19, 64]), numbers([41, 64]))).toMatch(/^gemm/)
    device.destroy()
  })
})

const SHAPES = [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }]
const MATRICES = { subgroupMatrices: SHAPES, minSubgroupSize: 32, maxSubgroupSize: 32 }

// Nothing runs there, but all that GPUs of today offer compiles.
it.skipIf(!nothing)('compile for matrices of subgroups', async () => {
  const device = await WebGPUDevice.create({
    gpu: nothing as GPU,
    kernels: [denseKernels, denseMatrices()],
    capabilities: MATRICES,
  })
  const [x, weight] = [await numbers([100, 256]).to(device), await numbers([128, 256]).to(device)]
  expect(device.explain(linear, [x, weight])[0]?.variant).toBe('matrices of float16')
  await device.finish()
  device.destroy()
})

describe('the tile for a product', () => {
  const large = {
    ...MATRICES,
    maxInvocations: 1024,
    maxWorkgroupStorage: 49152,
  } as unknown as Capabilities
  const tileFor = (m: number, n: number, capabilities = large): string => {
    const { tile, step } = chooseTile(capabilities, MATRIX_TUNING, 'f16', { m, n, k: 4096 }) ?? {}
    return tile ? `${tile.m} x ${tile.n}, ${step}` : 'none'
  }

  it('is the largest that keeps a GPU busy', () => {
    expect(tileFor(512, 14336)).toBe('128 x 256, 32')
    expect(tileFor(128, 14336)).toBe('128 x 128, 64')
    expect(tileFor(128, 2048)).toBe('32 x 64, 64')
    expect(tileFor(128, 512)).toBe('16 x 64, 64')
  })

  it('wastes few rows', () => {
    expect(tileFor(16, 14336)).toBe('16 x 64, 64')
    expect(tileFor(20, 14336)).toBe('32 x 64, 64')
    expect(tileFor(65, 14336)).toBe('32 x 64, 64')
    expect(tileFor(40, 14336)).toBe('64 x 64, 64')
  })

  it('fits into what workgroups share', () => {
    expect(tileFor(128, 14336, { ...large, maxWorkgroupStorage: 32768 })).toBe('128 x 128, 32')
    expect(tileFor(128, 14336, { ...large, maxInvocations: 128 })).toBe('64 x 64, 64')
    expect(tileFor(128, 14336, { ...large, maxSubgroupSize: 64 })).toBe('none')
  })
})

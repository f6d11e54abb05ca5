import { Int8Tensor, linear, PerRow, tensor } from '@ao/int8'
import { webgpuKernels } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'

const device: WebGPUDevice = await WebGPUDevice.create({ kernels: [denseKernels, webgpuKernels] })
const gpu: GPUDevice = device.gpu
const limit: number = gpu.limits.maxBufferSize
const weight = Int8Tensor.fromHp(tensor([[0.5, -1]]), { granularity: PerRow() })
void [limit, linear(tensor([[1, -2]]), weight)]

// @ts-expect-error kernels are not left out
await WebGPUDevice.create({})

import { Int8Tensor, linear, PerRow, readFloat32, tensor } from '@ao/int8'
import { webgpuKernels } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { measure } from './measure.mjs'

const device = await WebGPUDevice.create({ kernels: [denseKernels, webgpuKernels] })
const ao = { Int8Tensor, linear, PerRow, readFloat32, tensor }
document.body.textContent = await measure(ao, device)

import { Int8Tensor, linear, PerRow, readFloat32, tensor } from '@ao/int8'
import { webgpuKernels } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { create, globals } from 'webgpu'
import { measure } from './measure.mjs'

Object.assign(globalThis, globals)
const gpu = create([])
const device = await WebGPUDevice.create({ gpu, kernels: [denseKernels, webgpuKernels] })
console.log(await measure({ Int8Tensor, linear, PerRow, readFloat32, tensor }, device))
device.destroy()

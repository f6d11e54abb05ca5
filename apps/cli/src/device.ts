/** @file `--device`: where models are computed. */

import { cpu, DeviceError, freeTensor, inScope, type Device, type Tensor } from '@ao/base-tensor'
import type { KernelSet } from '@ao/kernels-webgpu'
import { Option } from 'commander'

/** What `--device` may say. */
export type DeviceName = 'cpu' | 'webgpu'

/** `--device cpu|webgpu`. */
export function deviceOption(): Option {
  return new Option('--device <device>', 'where to compute')
    .choices(['cpu', 'webgpu'])
    .default('cpu')
}

/**
 * Runs `work` with the device of that name, and lets go of the device afterwards. Nothing of a GPU is
 * loaded for `cpu`.
 *
 * @throws {@link DeviceError} where there is no GPU, or npm `webgpu` is not installed
 */
export async function withDevice<T>(
  name: DeviceName,
  work: (device: Device) => Promise<T>,
): Promise<T> {
  if (name === 'cpu') return work(cpu)
  const { denseKernels, WebGPUDevice } = await import('@ao/kernels-webgpu')
  const gpu = await openGPU()
  const kernels = [denseKernels, ...(await kernelSets())]
  const device = await WebGPUDevice.create({ gpu, kernels })
  try {
    return await work(device)
  } finally {
    device.destroy()
  }
}

// What Dawn hides behind its name for it: subgroup matrices, and float16 on NVIDIA.
const DAWN_FEATURES = 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia'

/** The GPU of this machine through Dawn; the variable AO_WEBGPU_BACKEND chooses among its backends. */
async function openGPU(): Promise<GPU> {
  const { create, globals } = await import('webgpu').catch((cause: unknown) => {
    throw new DeviceError({
      package: '@ao/cli',
      expected: 'the npm package webgpu for --device webgpu',
      got: 'none that can be loaded',
      cure: 'Install it beside ao: npm install --global webgpu. Or leave --device out.',
      cause,
    })
  })
  Object.assign(globalThis, globals)
  const backend = process.env['AO_WEBGPU_BACKEND']
  return create([...(backend === undefined ? [] : [`backend=${backend}`]), DAWN_FEATURES])
}

/** A new format adds a line. */
async function kernelSets(): Promise<KernelSet[]> {
  const { int8Kernels, subgroupMatrices } = await import('@ao/int8/webgpu')
  const modules = await Promise.all([
    import('@ao/quant-primitives/webgpu'),
    import('@ao/causal-lm/webgpu'),
    import('@ao/float8/webgpu'),
    import('@ao/int4/webgpu'),
    import('@ao/int4-plain-int32/webgpu'),
    import('@ao/int4-tile-packed-to-4d/webgpu'),
    import('@ao/int4-preshuffled/webgpu'),
    import('@ao/intx/webgpu'),
    import('@ao/uintx/webgpu'),
  ])
  const { denseMatrices } = await import('@ao/kernels-webgpu/matrices')
  const int8 = int8Kernels({ matrices: subgroupMatrices() })
  return [int8, denseMatrices(), ...modules.map(({ webgpuKernels }) => webgpuKernels)]
}

/** What `run` makes of tensors on `device`, on the CPU again; of the device's memory nothing stays in use. */
export async function computeOn(
  device: Device,
  tensor: Tensor,
  run: (there: Tensor) => Tensor,
): Promise<Tensor> {
  if (device === cpu) return run(tensor)
  const there = await tensor.to(device)
  try {
    const result = inScope(device, () => run(there))
    const here = await result.to(cpu)
    if (result !== there) freeTensor(result)
    return here
  } finally {
    freeTensor(there)
  }
}

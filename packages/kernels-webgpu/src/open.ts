/** @file Finding a GPU, and asking for what kernels can use of it. */

import { DeviceError } from '@ao/base-tensor'
import { WANTED_FEATURES, WANTED_LIMITS, type Capabilities } from './capabilities.ts'
import type { KernelSet } from './kernel.ts'

/** How a device is made. */
export interface WebGPUDeviceOptions {
  /** Kernels of all ops that will run: `[denseKernels, int8Kernels]`. Of two for one op, the later counts. */
  readonly kernels: readonly KernelSet[]
  /** Where to look for an adapter: `navigator.gpu` unless given. In Node, `create([])` of npm `webgpu`. */
  readonly gpu?: Pick<globalThis.GPU, 'requestAdapter'> & Partial<globalThis.GPU>
  /** The adapter to use; with `device`, the one that it came from: it knows of subgroup matrices. */
  readonly adapter?: GPUAdapter
  /** A GPUDevice to share with other code; it is not destroyed with this device. */
  readonly device?: GPUDevice
  /** `high-performance` unless given. */
  readonly powerPreference?: GPUPowerPreference
  /** Bytes of free buffers to keep for later: 512 MiB unless given. */
  readonly maxPooledBytes?: number
  /** Replaces what was found, to do without a feature: `{ f16: false }`. */
  readonly capabilities?: Partial<Capabilities>
}

interface OpenedDevice {
  readonly gpu: GPUDevice
  /** What the adapter says of itself; of a device that was brought, what the device says of it. */
  readonly info: GPUAdapterInfo
  readonly languageFeatures: ReadonlySet<string> | undefined
}

/** Every `gpu` that was passed: Dawn crashes when it is collected before what came from it. */
const keptAlive: Set<unknown> = /* @__PURE__ */ new Set()

/** @throws {@link DeviceError} where there is no WebGPU, or no adapter */
export async function openDevice(options: WebGPUDeviceOptions): Promise<OpenedDevice> {
  const gpu = options.gpu ?? (globalThis.navigator as Partial<Navigator> | undefined)?.gpu
  keptAlive.add(options.gpu)
  const languageFeatures = gpu?.wgslLanguageFeatures
  if (options.device) {
    const { device, adapter } = options
    return { gpu: device, info: adapter?.info ?? device.adapterInfo, languageFeatures }
  }
  const adapter = options.adapter ?? (await findAdapter(gpu, options))
  const requiredLimits = Object.fromEntries(
    WANTED_LIMITS.map((name) => [name, adapter.limits[name]]),
  )
  const requiredFeatures = WANTED_FEATURES.filter((name) => adapter.features.has(name))
  const device = await adapter.requestDevice({
    requiredFeatures: requiredFeatures as GPUFeatureName[],
    requiredLimits,
  })
  return { gpu: device, info: adapter.info, languageFeatures }
}

async function findAdapter(
  gpu: WebGPUDeviceOptions['gpu'],
  { powerPreference = 'high-performance' }: WebGPUDeviceOptions,
): Promise<GPUAdapter> {
  const adapter = await gpu?.requestAdapter({ powerPreference })
  if (adapter) return adapter
  throw new DeviceError({
    package: '@ao/kernels-webgpu',
    expected: 'WebGPU',
    got: gpu ? 'no adapter' : 'no navigator.gpu',
    cure: gpu
      ? 'This machine has no GPU that WebGPU can use; compute on the CPU.'
      : 'Use a browser with WebGPU. In Node, install `webgpu` and pass `gpu: create([])` of it.',
  })
}

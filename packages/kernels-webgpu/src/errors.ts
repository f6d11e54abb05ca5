import { DeviceError } from '@ao/base-tensor'

/** The GPU went away: a driver reset, a removed adapter, or `destroy()`. */
export class DeviceLostError extends DeviceError {
  static override readonly errorName: string = 'DeviceLostError'
}

/** The error of a loss that `GPUDevice.lost` tells of. */
export function deviceLost(info: Pick<GPUDeviceLostInfo, 'reason' | 'message'>): DeviceLostError {
  return new DeviceLostError({
    package: '@ao/kernels-webgpu',
    expected: 'the GPU device to be there',
    got: `a lost one (${info.reason || 'unknown'}: ${info.message || 'no message'})`,
    cure: 'What its tensors held is gone. Make a new device with WebGPUDevice.create() and load the model again.',
  })
}

/** A shader that does not compile, or a call that WebGPU refuses. */
export class KernelError extends DeviceError {
  static override readonly errorName: string = 'KernelError'
}

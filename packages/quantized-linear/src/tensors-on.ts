import { DenseTensor, hostArray, isDenseTensor, takes, type Device } from '@ao/base-tensor'

/** `options` with the tensors of the CPU on `device`, such as scales that were measured. */
export function tensorsOn<Options extends object>(device: Device, options: Options): Options {
  takes('o<upload:f>o', device, options)
  if (device.isHost) return options
  const moved = (value: unknown): unknown =>
    isDenseTensor(value) && value.device.isHost
      ? new DenseTensor(device.upload(value.dtype, hostArray(value)), value.shape)
      : value
  const entries = Object.entries(options).map(([name, value]) => [name, moved(value)])
  return Object.fromEntries(entries) as Options
}

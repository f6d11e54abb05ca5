export type { MemoryUse } from './buffers.ts'
export type { Capabilities, SubgroupMatrixShape } from './capabilities.ts'
export type { Explanation } from '@ao/base-tensor'
export type { Workgroups } from './dispatch-args.ts'
export { denseKernels } from './dense/kernels.ts'
export { WebGPUDevice } from './device.ts'
export { DeviceLostError, KernelError } from './errors.ts'
export { onMeta } from './on-meta.ts'
export {
  floatInput,
  floatOutput,
  isNativeFloat,
  storedFloat,
  storedOutput,
  type NativeFloat,
} from './floats.ts'
export {
  grid,
  kernel,
  type Counted,
  type DispatchArgs,
  type GPU,
  type Kernel,
  type KernelSet,
  type Param,
  type TensorRange,
  type Variant,
} from './kernel.ts'
export type { WebGPUDeviceOptions } from './open.ts'
export type { PassTimer } from './passes.ts'
export { elapsed, profile, type KernelTiming } from './profile.ts'
export { wgsl, type Program, type ProgramMaker } from './program.ts'
export { rowParts, type RowPart } from './row-parts.ts'
export { expandTemplate, type Defines } from './template.ts'
export { numbersWgsl, reduceWgsl, storedWgsl } from './shared-wgsl.ts'

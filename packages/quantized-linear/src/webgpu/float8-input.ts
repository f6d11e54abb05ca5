import { grid, wgsl, type GPU, type ProgramMaker } from '@ao/kernels-webgpu'
import type { DenseTensor, Tensor } from '@ao/base-tensor'
import { arithmeticWgsl } from '@ao/quant-primitives/webgpu'
import { Bindings } from './bindings.ts'
import source from './wgsl/float8-input.wgsl'

const program: ProgramMaker = /* @__PURE__ */ wgsl('round rows to float8', arithmeticWgsl + source)

/** `x` in float32, its rows rounded to float8_e4m3fn with a scale of `max(|x|, 1 / 512) / 448` each. */
export function roundRowsToFloat8(gpu: GPU, x: Tensor): DenseTensor {
  const k = x.shape.at(-1) as number
  const y = gpu.empty(x.shape, 'float32')
  const bindings = new Bindings(gpu, { x, y })
  gpu.dispatch(program({ ...bindings.defines, K: k }), {
    bind: bindings.bind(),
    params: [x.numel / k],
    workgroups: grid(x.numel / k),
  })
  return y
}

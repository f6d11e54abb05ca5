import { grid, wgsl, type GPU, type ProgramMaker } from '@ao/kernels-webgpu'
import type { DenseTensor, Tensor } from '@ao/base-tensor'
import { Bindings } from './bindings.ts'
import { readerWgsl } from './decoder-wgsl.ts'
import floats from './wgsl/floats.wgsl'
import source from './wgsl/rms-norm.wgsl'

const program: ProgramMaker = /* @__PURE__ */ wgsl(
  'rms norm',
  /* @__PURE__ */ [floats, readerWgsl('x'), readerWgsl('norm'), source].join('\n'),
)

/** `x / sqrt(mean(x^2) + eps) * weight` of each row of `x` (..., K), in float32. */
export function rmsNormRows(gpu: GPU, x: Tensor, weight: Tensor, eps: number): DenseTensor {
  const k = x.shape.at(-1) as number
  const y = gpu.empty(x.shape, 'float32')
  const bindings = new Bindings(gpu, { x, norm: weight, y })
  gpu.dispatch(program({ ...bindings.defines, SECOND: false, K: k, NORM_EPS: eps }), {
    bind: bindings.bind(),
    params: [x.numel / k],
    workgroups: grid(x.numel / k),
  })
  return y
}

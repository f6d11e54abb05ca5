/** @file Elementwise activations. */

import { isFloatDType, type FloatDType, type Op, type Tensor } from '@ao/base-tensor'
import {
  grid,
  kernel,
  numbersWgsl,
  storedFloat,
  storedOutput,
  storedWgsl,
  wgsl,
  type Kernel,
} from '@ao/kernels-webgpu'
import { gelu, geluTanh, relu, silu } from '../activations.ts'
import source from './activation.wgsl'

const program = /* @__PURE__ */ wgsl('activation', numbersWgsl + storedWgsl + source)

/* @__NO_SIDE_EFFECTS__ */
function activation(op: Op<[input: Tensor], Tensor>): Kernel {
  return kernel(op, [
    {
      name: 'four elements a thread',
      when: 'the input is float32, float16 or bfloat16',
      fits: (_gpu, input) => isFloatDType(input.dtype),
      run: (gpu, input) =>
        gpu.scope(() => {
          const x = storedFloat(gpu, input)
          return storedOutput(gpu, x.shape, x.dtype as FloatDType, true, (y) =>
            gpu.dispatch(program({ F: op.opName, X: x.dtype }), {
              bind: [x, y],
              params: [x.numel],
              workgroups: grid(Math.ceil(x.numel / 256)),
            }),
          )
        }),
    },
  ])
}

export const reluKernel: Kernel = /* @__PURE__ */ activation(relu)
export const siluKernel: Kernel = /* @__PURE__ */ activation(silu)
export const geluKernel: Kernel = /* @__PURE__ */ activation(gelu)
export const geluTanhKernel: Kernel = /* @__PURE__ */ activation(geluTanh)

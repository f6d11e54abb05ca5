import { cast, type DenseTensor, type StoredDType, type Tensor } from '@ao/base-tensor'
import { grid, numbersWgsl, wgsl, type GPU, type ProgramMaker } from '@ao/kernels-webgpu'
import { Bindings } from './bindings.ts'
import { readerWgsl } from './decoder-wgsl.ts'
import source from './wgsl/elementwise.wgsl'
import floats from './wgsl/floats.wgsl'

const program: ProgramMaker = /* @__PURE__ */ wgsl(
  'elementwise',
  /* @__PURE__ */ [numbersWgsl, floats, readerWgsl('a'), readerWgsl('b'), source].join('\n'),
)

/**
 * A number for each element of `a`, and of `b` in the same shape, computed in float32: scales and zero points
 * of one format as those of another.
 *
 * @param expression - WGSL of `a` and `b`
 * @param dtype - of the result
 */
export function elementwise(
  gpu: GPU,
  expression: string,
  a: Tensor,
  b: Tensor | undefined,
  dtype: StoredDType,
): DenseTensor {
  return gpu.scope(() => {
    const y = gpu.empty(a.shape, 'float32')
    const bindings = new Bindings(gpu, { a, b, y })
    gpu.dispatch(program({ ...bindings.defines, SECOND: false, EXPRESSION: expression }), {
      bind: bindings.bind(),
      workgroups: grid(Math.ceil(y.numel / 64)),
    })
    return (dtype === 'float32' ? y : cast(y, dtype)) as DenseTensor
  })
}

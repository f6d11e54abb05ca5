/** @file Casts between number types. */

import { cast, itemSize, type StoredDType, type Tensor } from '@ao/base-tensor'
import { grid, kernel, type GPU, type Kernel } from '../kernel.ts'
import { wgsl } from '../program.ts'
import numbers from '../wgsl/numbers.wgsl'
import source from './cast.wgsl'

const DTYPES: readonly StoredDType[] = ['float32', 'float16', 'bfloat16', 'int8', 'uint8', 'int32']
const SOURCES: readonly StoredDType[] = [...DTYPES, 'float8_e4m3fn']
const castProgram = /* @__PURE__ */ wgsl('cast', numbers + source)

export const castKernel: Kernel = /* @__PURE__ */ kernel(cast, [
  {
    name: 'none',
    when: 'the dtype stays',
    fits: (_gpu, tensor, dtype) => tensor.dtype === dtype,
    run: (_gpu, tensor) => tensor,
  },
  {
    name: 'four elements a thread',
    when: `both dtypes are among ${DTYPES.join(', ')}; from float8_e4m3fn, too`,
    fits: (_gpu, tensor, dtype) => SOURCES.includes(tensor.dtype) && DTYPES.includes(dtype),
    run: (gpu: GPU, tensor: Tensor, dtype: StoredDType): Tensor => {
      const from = gpu.dense(tensor)
      const to = gpu.empty(tensor.shape, dtype)
      const defines = { FROM: from.dtype, TO: dtype, TO_SIZE: itemSize(dtype) }
      gpu.dispatch(castProgram(defines), {
        bind: [from, to],
        params: [from.numel],
        workgroups: grid(Math.ceil(from.numel / 256)),
      })
      return to
    },
  },
])

/** @file Shards of codes on the GPU, where a weight is saved from there. */

import type { Tensor } from '@ao/base-tensor'
import {
  grid,
  kernel,
  wgsl,
  type KernelSet,
  type ProgramMaker,
  type Variant,
} from '@ao/kernels-webgpu'
import { packUintx, planOf, shardsOf } from '../shards.ts'
import source from './pack.wgsl'

const program: ProgramMaker = /* @__PURE__ */ wgsl('uintx pack', source)

const packing: Variant<Parameters<typeof packUintx>, readonly Tensor[]> = {
  name: 'four bytes a thread',
  when: 'always',
  run: (gpu, codes, bits, dim) => {
    const bound = gpu.dense(codes)
    return shardsOf(bits).map(([width, shift]) => {
      const { shape, rows, inner } = planOf(codes.shape, dim, width)
      const bytes = gpu.empty(shape, 'uint8')
      if (bytes.numel === 0) return bytes
      gpu.dispatch(program({ WIDTH: width, SHIFT: shift }), {
        bind: [bound, bytes].map((tensor) => ({ tensor, offset: 0, size: tensor.nbytes })),
        params: [bytes.numel, rows * inner],
        workgroups: grid(Math.ceil(bytes.numel / 256)),
      })
      return bytes
    })
  },
}

/** The kernel of {@link packUintx}; files are read on the CPU. */
export const shardKernels: KernelSet = [/* @__PURE__ */ kernel(packUintx, [packing])]

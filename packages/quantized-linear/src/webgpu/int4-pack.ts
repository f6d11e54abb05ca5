/** @file Codes of four bits as the signed bytes of torchao's plain int4 format, and back, on the GPU. */

import { asDense, type Tensor } from '@ao/base-tensor'
import { grid, kernel, wgsl, type GPU, type KernelSet, type ProgramMaker } from '@ao/kernels-webgpu'
import { packInt4, packedShape, unpackedShape, unpackInt4 } from '../int4/pack.ts'
import source from './wgsl/nibbles.wgsl'

const program: ProgramMaker = /* @__PURE__ */ wgsl('nibbles', source)

function convertNibbles(gpu: GPU, input: Tensor, output: Tensor, packs: boolean): Tensor {
  const [from, to] = [gpu.dense(input), asDense(output)]
  const [packed, codes] = packs ? [to, from] : [from, to]
  const words = Math.ceil(packed.numel / 4)
  gpu.dispatch(program({ PACK: packs }), {
    bind: [from, to],
    params: [words, Math.ceil(codes.numel / 4)],
    workgroups: grid(Math.ceil(words / 64)),
  })
  return output
}

/** Kernels of `packInt4` and `unpackInt4`. */
export const int4PackKernels: KernelSet = /* @__PURE__ */ [
  kernel(packInt4, [
    {
      name: 'eight codes a thread',
      when: 'always',
      run: (gpu, codes) => convertNibbles(gpu, codes, gpu.empty(packedShape(codes), 'int8'), true),
    },
  ]),
  kernel(unpackInt4, [
    {
      name: 'eight codes a thread',
      when: 'always',
      run: (gpu, bytes) =>
        convertNibbles(gpu, bytes, gpu.empty(unpackedShape(bytes), 'uint8'), false),
    },
  ]),
]

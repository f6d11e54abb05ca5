/** @file Codes of n bits from bytes to words, and back. */

import { numelOf, type Tensor } from '@ao/base-tensor'
import {
  grid,
  kernel,
  wgsl,
  type GPU,
  type KernelSet,
  type ProgramMaker,
  type Variant,
} from '@ao/kernels-webgpu'
import { rowRanges } from '@ao/quantized-linear/webgpu'
import { packIntx, unpackIntx } from '../pack.ts'
import packSource from './pack.wgsl'
import unpackSource from './unpack.wgsl'

const packProgram: ProgramMaker = /* @__PURE__ */ wgsl('intx pack', packSource)
const unpackProgram: ProgramMaker = /* @__PURE__ */ wgsl('intx unpack', unpackSource)

const packing: Variant<Parameters<typeof packIntx>, Tensor> = {
  name: 'a word a thread',
  when: 'always',
  run: (gpu, codes, bits) => {
    const k = codes.shape.at(-1) as number
    const words = gpu.empty(codes.shape.with(-1, (k * bits) / 32), 'int32')
    convert(gpu, packProgram, [codes, words], { k, bits, perThread: 32 / bits })
    return words
  },
}

const unpacking: Variant<Parameters<typeof unpackIntx>, Tensor> = {
  name: 'four codes a thread',
  when: 'always',
  run: (gpu, words, bits) => {
    const k = ((words.shape.at(-1) as number) * 32) / bits
    const codes = gpu.empty(words.shape.with(-1, k), 'int8')
    convert(gpu, unpackProgram, [words, codes], { k, bits, perThread: 4 })
    return codes
  },
}

/** @param perThread - codes of a thread, on average */
function convert(
  gpu: GPU,
  program: ProgramMaker,
  [from, to]: readonly [from: Tensor, to: Tensor],
  { k, bits, perThread }: { readonly k: number; readonly bits: number; readonly perThread: number },
): void {
  if (from.numel === 0) return
  const bound = [gpu.dense(from), gpu.dense(to)]
  const count = numelOf(from.shape.slice(0, -1))
  const rowBytes = bound.map(({ nbytes }) => nbytes / count)
  for (const { first, rows } of rowRanges(gpu, count, ...rowBytes)) {
    gpu.dispatch(program({ BITS: bits }), {
      bind: bound.map((tensor, i) => {
        const bytes = rowBytes[i] as number
        return { tensor, offset: first * bytes, size: rows * bytes }
      }),
      params: [rows, k],
      workgroups: grid(Math.ceil((rows * k) / perThread / 64)),
    })
  }
}

/** Kernels of {@link packIntx} and {@link unpackIntx}. */
export const packKernels: KernelSet = [
  /* @__PURE__ */ kernel(packIntx, [packing]),
  /* @__PURE__ */ kernel(unpackIntx, [unpacking]),
]

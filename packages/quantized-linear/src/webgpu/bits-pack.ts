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
import { packBits, unpackBits } from '../bits/pack.ts'
import { rowRanges } from './row-ranges.ts'
import packSource from './wgsl/bits-pack.wgsl'
import unpackSource from './wgsl/bits-unpack.wgsl'

const packProgram: ProgramMaker = /* @__PURE__ */ wgsl('pack bits', packSource)
const unpackProgram: ProgramMaker = /* @__PURE__ */ wgsl('unpack bits', unpackSource)

const packing: Variant<Parameters<typeof packBits>, Tensor> = {
  name: 'a word a thread',
  when: 'always',
  run: (gpu, codes, bits) => {
    const k = codes.shape.at(-1) as number
    const words = gpu.empty(codes.shape.with(-1, (k * bits) / 32), 'int32')
    convert(gpu, packProgram, [codes, words], { k, bits, perThread: 32 / bits })
    return words
  },
}

const unpacking: Variant<Parameters<typeof unpackBits>, Tensor> = {
  name: 'four codes a thread',
  when: 'always',
  run: (gpu, words, bits, isSigned) => {
    const k = ((words.shape.at(-1) as number) * 32) / bits
    const codes = gpu.empty(words.shape.with(-1, k), 'int8')
    convert(gpu, unpackProgram, [words, codes], { k, bits, isSigned, perThread: 4 })
    return codes
  },
}

interface Conversion {
  readonly k: number
  readonly bits: number
  readonly isSigned?: boolean
  /** Codes of a thread, on average. */
  readonly perThread: number
}

function convert(
  gpu: GPU,
  program: ProgramMaker,
  [from, to]: readonly [from: Tensor, to: Tensor],
  { k, bits, isSigned = false, perThread }: Conversion,
): void {
  if (from.numel === 0) return
  const bound = [gpu.dense(from), gpu.dense(to)]
  const count = numelOf(from.shape.slice(0, -1))
  const rowBytes = bound.map(({ nbytes }) => nbytes / count)
  for (const { first, rows } of rowRanges(gpu, count, ...rowBytes)) {
    gpu.dispatch(program({ BITS: bits, SIGNED: isSigned }), {
      bind: bound.map((tensor, i) => {
        const bytes = rowBytes[i] as number
        return { tensor, offset: first * bytes, size: rows * bytes }
      }),
      params: [rows, k],
      workgroups: grid(Math.ceil((rows * k) / perThread / 64)),
    })
  }
}

/** Kernels of {@link packBits} and {@link unpackBits}. */
export const bitsPackKernels: KernelSet = [
  /* @__PURE__ */ kernel(packBits, [packing]),
  /* @__PURE__ */ kernel(unpackBits, [unpacking]),
]

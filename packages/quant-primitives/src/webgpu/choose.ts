/** @file Scales and zero points of blocks: their ranges first, then the rule of a mapping. */

import {
  finfo,
  isFloatDType,
  itemSize,
  rounder,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  kernel,
  wgsl,
  type Defines,
  type GPU,
  type Kernel,
  type Param,
  type Program,
  type ProgramMaker,
} from '@ao/kernels-webgpu'
import { quantBounds, type MappingType } from '../bounds.ts'
import { chooseQparamsAffine, type AffineQparams } from '../choose-qparams.ts'
import qparamsSource from './qparams.wgsl'
import rangeSource from './range.wgsl'
import { finiteDefines, ruleDefines, ruleParams } from './rounding.ts'
import {
  areContiguousBlocks,
  bindableElements,
  elementDefines,
  isElement,
  portions,
  CONTIGUOUS_BLOCKS,
} from './contiguous-blocks.ts'
import { arithmeticWgsl, qparamsWgsl } from './snippets.ts'

const rangeProgram = /* @__PURE__ */ wgsl('blockRange', arithmeticWgsl + rangeSource)

/** Threads of a workgroup, and how large blocks are cut so that enough of them work. */
export const RANGE_TUNING = { threads: 64, perLane: 4, smallestPart: 4096, mostParts: 128 } as const

/** Smallest and largest number of each part of each block, in the order of `order_of`. */
export interface BlockRanges {
  readonly ranges: DenseTensor
  readonly blocks: number
  readonly parts: number
}

/** The ranges of `blocks` blocks of neighbours, which `input` is cut into. */
export function blockRanges(gpu: GPU, input: Tensor, blocks: number): BlockRanges {
  const x = gpu.dense(input)
  const length = x.numel / blocks
  const itemBytes = itemSize(x.dtype)
  const bindable = bindableElements(gpu, itemBytes)
  const part = partLength(length, bindable)
  const parts = Math.ceil(length / part)
  const ranges = gpu.empty([blocks * parts, 2], 'int32')
  const lanes = lanesFor(part)
  const program = rangeProgram({
    THREADS: RANGE_TUNING.threads,
    ...elementDefines('IN', x),
  })
  const startOf = (p: number): number => Math.floor(p / parts) * length + (p % parts) * part
  const perDispatch = Math.max(Math.floor((bindable - 256) / part), 1)
  for (const [first, count] of portions(blocks * parts, perDispatch)) {
    const base = Math.floor(startOf(first) / 256) * 256
    const end = Math.min(startOf(first + count - 1) + part, x.numel)
    const bytes = { offset: base * itemBytes, size: (end - base) * itemBytes }
    gpu.dispatch(program, {
      bind: [{ tensor: x, ...bytes }, ranges],
      params: [first, count, base, length, parts, part, lanes],
      workgroups: grid(Math.ceil((count * lanes) / RANGE_TUNING.threads)),
    })
  }
  return { ranges, blocks, parts }
}

function partLength(length: number, bindable: number): number {
  const { smallestPart, mostParts } = RANGE_TUNING
  return Math.min(length, Math.max(smallestPart, Math.ceil(length / mostParts)), bindable / 2)
}

function lanesFor(part: number): number {
  const lanes = 2 ** Math.floor(Math.log2(Math.max(part / RANGE_TUNING.perLane, 1)))
  return Math.min(lanes, RANGE_TUNING.threads)
}

/** A program that writes scales and zero points, by the rules of `rules`. */
/* @__NO_SIDE_EFFECTS__ */
export function qparamsWriter(name: string, rules: string): ProgramMaker {
  return wgsl(name, rules + qparamsSource)
}

/** Writes what mappings choose. */
export const affineWriter: ProgramMaker = /* @__PURE__ */ qparamsWriter('qparams', qparamsWgsl)

/** What a program that writes `qparams` is told of them. */
export function qparamsDefines({ scale, zeroPoint }: AffineQparams): Defines {
  return { ...elementDefines('SCALE', scale), ...elementDefines('ZERO', zeroPoint) }
}

/** Writes a scale and a zero point for each block. */
export function writeQparams(
  gpu: GPU,
  program: Program,
  { ranges, blocks, parts }: BlockRanges,
  rule: readonly Param[],
  { scale, zeroPoint }: AffineQparams,
): void {
  gpu.dispatch(program, {
    bind: [ranges, scale as DenseTensor, zeroPoint as DenseTensor],
    params: [...rule, blocks, parts],
    workgroups: grid(Math.ceil(blocks / 256)),
  })
}

/** The kernel of an op that chooses scales and zero points. */
/* @__NO_SIDE_EFFECTS__ */
export function chooseKernel(
  op: typeof chooseQparamsAffine,
  maker: ProgramMaker,
  definesOf: (mapping: MappingType, dtype: FloatDType) => Defines,
): Kernel {
  return kernel(op, [
    {
      name: 'ranges, then rules',
      when: CONTIGUOUS_BLOCKS,
      fits: (_gpu, input, _mapping, blockSize, _target, options) =>
        isFloatDType(input.dtype) &&
        areContiguousBlocks(input, blockSize) &&
        [options?.scaleDtype, options?.zeroPointDtype].every((dtype) => !dtype || isElement(dtype)),
      run: (gpu, ...args) => {
        const [input, mapping, , targetDtype, options = {}] = args
        const qparams = op.meta?.(...args) as AffineQparams
        const dtype = input.dtype as FloatDType
        const { eps = finfo(dtype).smallestNormal } = options
        gpu.scope(() => {
          const ranges = blockRanges(gpu, input, qparams.scale.numel)
          const bounds = quantBounds(targetDtype, options)
          const program = maker({
            ...definesOf(mapping, dtype),
            ...(options.finite && finiteDefines(bounds, dtype)),
            ...qparamsDefines(qparams),
          })
          const rule = ruleParams(bounds, rounder(dtype)(eps))
          writeQparams(gpu, program, ranges, rule, qparams)
        })
        return qparams
      },
    },
  ])
}

/** How {@link chooseQparamsAffine} runs. */
export const chooseAffineKernel: Kernel = /* @__PURE__ */ chooseKernel(
  chooseQparamsAffine,
  affineWriter,
  ruleDefines,
)

/** @file Scales and zero points of blocks: their ranges first, then the rule of a mapping. */

import {
  finfo,
  itemSize,
  rounder,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { grid, kernel, wgsl, type GPU, type Kernel } from '@ao/kernels-webgpu'
import { quantBounds, type QuantBounds } from '../bounds.ts'
import {
  chooseQparamsAffine,
  chooseQparamsAffineDontPreserveZero,
  chooseQparamsAffineTinygemm,
} from '../choose-qparams.ts'
import qparamsSource from './qparams.wgsl'
import rangeSource from './range.wgsl'
import { ruleDefines, ruleParams, type RangeRule } from './rounding.ts'
import {
  areRuns,
  bindableElements,
  elementDefines,
  isElement,
  isFloat,
  portions,
  RUNS,
} from './runs.ts'
import { arithmeticWgsl, qparamsWgsl } from './snippets.ts'

const rangeProgram = /* @__PURE__ */ wgsl('blockRange', arithmeticWgsl + rangeSource)
const qparamsProgram = /* @__PURE__ */ wgsl('qparams', qparamsWgsl + qparamsSource)

/** Threads of a workgroup, and how large blocks are cut so that enough of them work. */
export const RANGE_TUNING = { threads: 64, perLane: 4, smallestPart: 4096, mostParts: 128 } as const

/** Smallest and largest number of each part of each block, in the order of `order_of`. */
export interface BlockRanges {
  readonly ranges: DenseTensor
  readonly blocks: number
  readonly parts: number
}

/** The ranges of `blocks` blocks of neighbours, which `input` is cut into. */
export function blockRanges(
  gpu: GPU,
  input: Tensor,
  blocks: number,
  skipsNaN: boolean = false,
): BlockRanges {
  const x = gpu.dense(input)
  const length = x.numel / blocks
  const itemBytes = itemSize(x.dtype)
  const bindable = bindableElements(gpu, itemBytes)
  const part = partLength(length, bindable)
  const parts = Math.ceil(length / part)
  const ranges = gpu.empty([blocks * parts, 2], 'int32')
  const lanes = lanesFor(part)
  const program = rangeProgram({
    SKIPS_NAN: skipsNaN,
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

/** Writes a scale and a zero point for each block. */
export function writeQparams(
  gpu: GPU,
  { ranges, blocks, parts }: BlockRanges,
  defines: ReturnType<typeof ruleDefines> & { readonly MIDDLE?: boolean },
  rule: ReturnType<typeof ruleParams>,
  scale: DenseTensor,
  zeroPoint: DenseTensor,
): void {
  const elements = { ...elementDefines('SCALE', scale), ...elementDefines('ZERO', zeroPoint) }
  gpu.dispatch(qparamsProgram({ ...defines, ...elements }), {
    bind: [ranges, scale, zeroPoint],
    params: [...rule, blocks, parts],
    workgroups: grid(Math.ceil(blocks / 256)),
  })
}

type ChooseOp = typeof chooseQparamsAffine

function chooseKernel(
  op: ChooseOp,
  ruleOf: (mapping: string) => RangeRule,
  withZero: boolean,
): Kernel {
  return kernel(op, [
    {
      name: 'ranges, then rules',
      when: RUNS,
      fits: (_gpu, input, _mapping, blockSize, _target, options) =>
        isFloat(input) &&
        areRuns(input, blockSize) &&
        [options?.scaleDtype, options?.zeroPointDtype].every((dtype) => !dtype || isElement(dtype)),
      run: (gpu, ...args) => {
        const [input, mapping, , targetDtype, options = {}] = args
        const qparams = op.meta?.(...args) as { scale: DenseTensor; zeroPoint: DenseTensor }
        const dtype = input.dtype as FloatDType
        const bounds: QuantBounds = quantBounds(targetDtype, options)
        const { eps = finfo(dtype).smallestNormal } = options
        gpu.scope(() =>
          writeQparams(
            gpu,
            blockRanges(gpu, input, qparams.scale.numel),
            ruleDefines(ruleOf(mapping), dtype, withZero),
            ruleParams(bounds, rounder(dtype)(eps)),
            qparams.scale,
            qparams.zeroPoint,
          ),
        )
        return qparams
      },
    },
  ])
}

/** Kernels of the ops that choose scales and zero points. */
export const chooseKernels: readonly Kernel[] = [
  chooseKernel(chooseQparamsAffine, (mapping) => mapping as RangeRule, true),
  chooseKernel(chooseQparamsAffineDontPreserveZero, (mapping) => mapping as RangeRule, false),
  chooseKernel(chooseQparamsAffineTinygemm, () => 'TINYGEMM', false),
]

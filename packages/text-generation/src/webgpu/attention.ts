/** @file Attention: a fused kernel for one new token, and one for many. */

import { cast, isFloatDType, type DenseTensor, type Tensor } from '@ao/base-tensor'
import {
  kernel,
  numbersWgsl,
  reduceWgsl,
  storedWgsl,
  wgsl,
  type GPU,
  type Kernel,
} from '@ao/kernels-webgpu'
import { attention, type AttentionArgs } from '../ops/attention.ts'
import { checkAttention, type CheckedAttention } from '../ops/attention-options.ts'
import { valueOf } from '../ops/position.ts'
import decodeSource from './attention-decode.wgsl'
import mergeSource from './attention-merge.wgsl'
import prefillSource from './attention-prefill.wgsl'
import scoreSource from './attention-score.wgsl'

/** Sizes to tune. */
export const ATTENTION_TUNING: {
  threads: number
  maxWhole: number
  partTokens: number
  maxShared: number
} = {
  /** Invocations of a workgroup that decodes. */
  threads: 128,
  /** The largest cache that one workgroup for each query head reads as a whole. */
  maxWhole: 256,
  /** Tokens of each part of a larger one. */
  partTokens: 128,
  /** Query heads at most that read a key head together, in larger caches. */
  maxShared: 8,
}

const floats = numbersWgsl + storedWgsl
const scoreWgsl = floats + scoreSource
const decodeProgram = /* @__PURE__ */ wgsl(
  'attention decode',
  scoreWgsl + reduceWgsl + decodeSource,
)
const mergeProgram = /* @__PURE__ */ wgsl('attention merge', floats + mergeSource)
const prefillProgram = /* @__PURE__ */ wgsl('attention prefill', scoreWgsl + prefillSource)

const MAX_HEAD_DIM = 512

// What a step runs follows from what the cache has room for, not from its length: so it can be recorded.
const capacityOf = (keys: Tensor): number => keys.shape[0] as number

function fits(q: Tensor, keys: Tensor, values: Tensor): boolean {
  const headDim = q.shape[2] ?? 0
  return (
    isFloatDType(q.dtype) &&
    isFloatDType(keys.dtype) &&
    values.dtype === keys.dtype &&
    headDim % 4 === 0 &&
    headDim <= MAX_HEAD_DIM
  )
}

export const attentionKernel: Kernel = /* @__PURE__ */ kernel(attention, [
  {
    name: 'decode',
    when: `one token, a cache with room for up to ${ATTENTION_TUNING.maxWhole}, heads of 4 to 512 elements`,
    fits: (_gpu, q, keys, values) =>
      q.shape[0] === 1 && capacityOf(keys) <= ATTENTION_TUNING.maxWhole && fits(q, keys, values),
    run: (gpu, ...args) => decode(gpu, args, 1),
  },
  {
    name: 'decode in parts',
    when: 'one token, a larger cache, heads of 4 to 512 elements',
    fits: (_gpu, q, keys, values) => q.shape[0] === 1 && fits(q, keys, values),
    run: (gpu, ...args) =>
      decode(gpu, args, Math.ceil(capacityOf(args[1]) / ATTENTION_TUNING.partTokens)),
  },
  {
    name: 'prefill',
    when: 'several tokens, heads of 4 to 512 elements',
    fits: (_gpu, q, keys, values) => fits(q, keys, values),
    run: (gpu, ...args) => prefill(gpu, args),
  },
])

function shapeDefines(q: Tensor, keys: Tensor): Record<string, number | string> {
  const [, heads, headDim] = q.shape as [number, number, number]
  const groups = keys.shape[1] as number
  return { X: q.dtype, KV: keys.dtype, HEADS: heads, GROUPS: groups, QUADS: headDim / 4 }
}

/** What options add to a program: a define and a binding for each. */
interface Extras {
  readonly checked: CheckedAttention
  readonly defines: Record<string, number | string | boolean>
  /** (H) of float32 */
  readonly sinks: readonly DenseTensor[]
  readonly keyMask: readonly DenseTensor[]
}

function checkedExtras(gpu: GPU, args: AttentionArgs): Extras {
  const [q, keys, values, length, options, sinks, keyMask] = args
  const checked = checkAttention(q, keys, values, valueOf(length), options, sinks, keyMask)
  const { window, softcap } = checked
  return {
    checked,
    defines: {
      ...(window < Infinity && { WINDOW: window }),
      ...(softcap !== undefined && { SOFTCAP: floatLiteral(softcap) }),
    },
    sinks: sinks ? [gpu.dense(cast(sinks, 'float32'))] : [],
    keyMask: keyMask ? [gpu.dense(keyMask)] : [],
  }
}

/** A number that WGSL does not take for an integer. */
const floatLiteral = (value: number): string => {
  const text = String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

/** Defines that say at which bindings a program finds sinks, from `first` on, and the mask of keys. */
function bindingDefines(
  first: number,
  sinks: readonly DenseTensor[],
  keyMask: readonly DenseTensor[],
): Record<string, number | boolean> {
  return {
    ...(sinks.length > 0 && { SINKS: true }),
    ...(keyMask.length > 0 && { MASK: first + sinks.length }),
  }
}

function decode(gpu: GPU, args: AttentionArgs, parts: number): Tensor {
  const [q, keys, values, length] = args
  const [, heads, headDim] = q.shape as [number, number, number]
  return gpu.scope(() => {
    const { checked, defines, sinks, keyMask } = checkedExtras(gpu, args)
    const perGroup = heads / (keys.shape[1] as number)
    const isSplit = parts > 1
    const shared = isSplit && perGroup <= ATTENTION_TUNING.maxShared ? perGroup : 1
    const part = isSplit ? ATTENTION_TUNING.partTokens : capacityOf(keys)
    const y = gpu.empty(q.shape, q.dtype)
    const sums = isSplit ? [gpu.empty([parts, heads, headDim], 'float32')] : []
    const scales = isSplit ? [gpu.empty([parts, heads, 2], 'float32')] : []
    const ownSinks = isSplit ? [] : sinks // parts are merged with them
    const program = decodeProgram({
      ...shapeDefines(q, keys),
      SHARED: shared,
      SPLIT: isSplit,
      THREADS: ATTENTION_TUNING.threads,
      SUBGROUPS: gpu.capabilities.subgroups,
      ...defines,
      ...bindingDefines(isSplit ? 5 : 4, ownSinks, keyMask),
    })
    gpu.dispatch(program, {
      bind: [
        ...[gpu.dense(q), gpu.dense(keys), gpu.dense(values)],
        ...(isSplit ? [...sums, ...scales] : [y]),
        ...[...ownSinks, ...keyMask],
      ],
      params: [length, part, { f32: checked.scale }],
      workgroups: [heads / shared, parts],
    })
    if (isSplit) {
      const merge = { X: q.dtype, ...bindingDefines(3, sinks, keyMask) }
      gpu.dispatch(mergeProgram(merge), {
        bind: [...sums, ...scales, y, ...sinks],
        params: [parts, heads, headDim / 4],
        workgroups: [heads],
      })
    }
    return y
  })
}

function prefill(gpu: GPU, args: AttentionArgs): Tensor {
  const [q, keys, values, length] = args
  const [tokens, heads, headDim] = q.shape as [number, number, number]
  return gpu.scope(() => {
    const { checked, defines, sinks, keyMask } = checkedExtras(gpu, args)
    const y = gpu.empty(q.shape, q.dtype)
    const isHiding = checked.window < Infinity || keyMask.length > 0
    const program = prefillProgram({
      ...shapeDefines(q, keys),
      KEYS: keysOfTile(gpu, headDim),
      PARTS: Math.ceil(headDim / 32),
      ...(isHiding && { HIDDEN: true }),
      ...(!checked.isCausal && { FULL: true }),
      ...defines,
      ...bindingDefines(4, sinks, keyMask),
    })
    gpu.dispatch(program, {
      bind: [gpu.dense(q), gpu.dense(keys), gpu.dense(values), y, ...sinks, ...keyMask],
      params: [tokens, length, { f32: checked.scale }],
      workgroups: [Math.ceil(tokens / QUERIES), heads],
    })
    return y
  })
}

/** Queries of a workgroup: as in attention-prefill.wgsl. */
const QUERIES = 16

/** As many keys in a tile, up to 32, as shared memory holds beside the queries. */
function keysOfTile(gpu: GPU, headDim: number): number {
  const bytes = (keys: number): number => 4 * ((QUERIES + keys) * headDim + QUERIES * keys)
  return [32, 16, 8].find((keys) => bytes(keys) <= gpu.capabilities.maxWorkgroupStorage) ?? 4
}

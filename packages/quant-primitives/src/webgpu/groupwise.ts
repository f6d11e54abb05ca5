/** @file 4-bit codes of groups, as torchao's plain int4 format has them. */

import { cast, type DenseTensor, type FloatDType, type Op, type Tensor } from '@ao/base-tensor'
import { kernel, type GPU, type Kernel, type KernelSet } from '@ao/kernels-webgpu'
import {
  quantizeInt4Groupwise,
  quantizeInt4GroupwiseSymmetric,
  type Int4Groups,
} from '../int4/groupwise.ts'
import { blockRanges, qparamsDefines, writeQparams } from './choose.ts'
import { convertBlocks, type Conversion } from './convert.ts'
import { finiteDefines, ruleDefines, ruleParams } from './rounding.ts'
import { finiteQuantizing, int4Writer, tinygemmConverter } from './tinygemm.ts'

const SMALLEST_RANGE = Math.fround(1e-6)
const FLOAT32: Conversion['roundings'] = {
  SCALE: 'float32',
  LOWEST: 'float32',
  PRODUCT: 'float32',
  SUM: 'float32',
}

/** Codes, and a scale and zero point for each group, in float32 and the order of groups. */
function quantizeGroups(
  gpu: GPU,
  weight: Tensor,
  groups: number,
  isSymmetric: boolean,
): [codes: DenseTensor, scale: DenseTensor, zeroPoint: DenseTensor] {
  const ranges = blockRanges(gpu, weight, groups)
  const bounds = { quantMin: 0, quantMax: 15 }
  const mapping = isSymmetric ? 'INT4_SYMMETRIC' : 'INT4'
  const rule = {
    ...ruleDefines(mapping, 'float32', false),
    ...finiteDefines(bounds, weight.dtype as FloatDType, 'float32'),
  }
  const scale = gpu.empty([groups], 'float32')
  const write = (MIDDLE: boolean): DenseTensor => {
    const zeroPoint = gpu.empty([groups], 'float32')
    const program = int4Writer({ ...rule, MIDDLE, ...qparamsDefines({ scale, zeroPoint }) })
    const params = ruleParams(bounds, SMALLEST_RANGE)
    writeQparams(gpu, program, ranges, params, { scale, zeroPoint })
    return zeroPoint
  }
  const lowest = write(false)
  const codes = convertBlocks(gpu, weight, scale, lowest, {
    program: tinygemmConverter,
    to: 'uint8',
    bounds,
    roundings: FLOAT32,
    defines: { QUANTIZES: true, ...finiteQuantizing('float32') },
    offset: isSymmetric ? 8 : 0,
  })
  return [codes, scale, isSymmetric ? lowest : write(true)]
}

/* @__NO_SIDE_EFFECTS__ */
function groupwiseKernel(
  op: Op<[weight: Tensor, groupSize: number], Int4Groups>,
  isSymmetric: boolean,
): Kernel {
  return kernel(op, [
    {
      name: 'ranges, scales, codes',
      when: 'always',
      run: (gpu, weight, groupSize) =>
        gpu.scope(() => {
          const planned = op.meta?.(weight, groupSize) as Int4Groups
          const dtype = planned.scale.dtype as FloatDType
          const groups = weight.numel / groupSize
          const [codes, scale, zeroPoint] = quantizeGroups(gpu, weight, groups, isSymmetric)
          const [g, n] = planned.scale.shape.slice(-2) as [number, number]
          const shape = [...weight.shape.slice(0, -2), n, g]
          const stored = (qparam: DenseTensor): Tensor =>
            cast(qparam.view(shape).transpose(-2, -1).contiguous(), dtype)
          return { codes, scale: stored(scale), zeroPoint: stored(zeroPoint) }
        }),
    },
  ])
}

/** Kernels of the ops that quantize to 4-bit codes. */
export const int4Kernels: KernelSet = [
  groupwiseKernel(quantizeInt4Groupwise, false),
  groupwiseKernel(quantizeInt4GroupwiseSymmetric, true),
]

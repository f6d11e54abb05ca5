/** @file Elements to others, one by one, by the scale and zero point of their block. */

import {
  itemSize,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  wgsl,
  type Defines,
  type GPU,
  type Param,
  type ProgramMaker,
  type TensorRange,
} from '@ao/kernels-webgpu'
import type { QuantBounds } from '../bounds.ts'
import source from './convert.wgsl'
import { roundingDefines } from './rounding.ts'
import {
  areContiguousBlocks,
  bindableElements,
  elementDefines,
  isElement,
  portions,
} from './contiguous-blocks.ts'
import { arithmeticWgsl } from './snippets.ts'

/** A program that converts elements as the WGSL in `steps` says. */
/* @__NO_SIDE_EFFECTS__ */
export function converter(name: string, steps: string): ProgramMaker {
  return wgsl(name, [arithmeticWgsl, source, steps].join('\n'))
}

/** What becomes of each element, and in which dtypes. */
export interface Conversion {
  readonly program: ProgramMaker
  readonly to: StoredDType
  readonly bounds: QuantBounds
  /** Dtypes that steps round to. */
  readonly roundings: Readonly<Record<string, FloatDType>>
  readonly defines?: Defines
  /** The code whose value is a floating zero point; 0 unless given. */
  readonly middle?: number
  /** What is added to codes; 0 unless given. */
  readonly offset?: number
}

/** Whether kernels convert these elements in these blocks. */
export function isConvertible(
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint?: Tensor,
): boolean {
  const dtypes = [input.dtype, scale.dtype, zeroPoint?.dtype ?? 'int8']
  return dtypes.every(isElement) && areContiguousBlocks(input, blockSize)
}

/** Converts all elements of `input`; blocks are neighbours, as many as there are scales. */
export function convertBlocks(
  gpu: GPU,
  input: Tensor,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  { program, to, bounds, roundings, defines, middle = 0, offset = 0 }: Conversion,
): DenseTensor {
  const out = gpu.empty(input.shape, to)
  gpu.scope(() => {
    const [x, scales] = [gpu.dense(input), gpu.dense(scale)]
    const zeros = zeroPoint && gpu.dense(zeroPoint)
    const made = program({
      ...defines,
      ...elementDefines('IN', x),
      ...elementDefines('SCALE', scales),
      ...(zeros ? elementDefines('ZERO', zeros) : { ZERO: 'none' }),
      ...elementDefines('OUT', out),
      ...roundingDefines(roundings),
    })
    const floats = [bounds.quantMin, bounds.quantMax, middle, offset]
    for (const [first, count] of portions(x.numel, bindableElements(gpu, 4))) {
      const part = (tensor: DenseTensor): TensorRange => {
        const bytes = itemSize(tensor.dtype)
        return { tensor, offset: first * bytes, size: count * bytes }
      }
      gpu.dispatch(made, {
        bind: [part(x), scales, zeros ?? scales, part(out)],
        params: [count, first, x.numel / scales.numel, 0, ...floats.map((f32): Param => ({ f32 }))],
        workgroups: grid(Math.ceil(count / 256)),
      })
    }
  })
  return out
}

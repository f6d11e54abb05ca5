/** @file Cosines and sines of the rotations that mark positions. */

import {
  DenseTensor,
  fromFloat32Array,
  takes,
  ValueError,
  type Device,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { MAX_POSITIONS } from './rope-config.ts'

/** Rotations of positions 0 to P - 1. */
export interface RotaryTable {
  /** (P, R / 2), for the first R elements of a head */
  readonly cos: Tensor
  /** As `cos`. */
  readonly sin: Tensor
}

/** How fast pairs of a head's elements turn: what a model's `rope_type` comes to. */
export interface RotaryFrequencies {
  /** Radians per position, for each pair: transformers' `inv_freq`. */
  readonly inverseFrequencies: Float32Array
  /** What cosines and sines are multiplied by: transformers' `attention_scaling`; 1 unless given. */
  readonly attentionFactor?: number
}

/** The table of `positions` rotations, rounded to `dtype`. */
export function rotaryTable(
  frequencies: RotaryFrequencies,
  positions: number,
  dtype: FloatDType,
  device: Device,
): RotaryTable {
  takes('o<inverseFrequencies:F>nzo<upload:f>', frequencies, positions, dtype, device)
  if (!(Number.isInteger(positions) && positions >= 0 && positions <= MAX_POSITIONS)) {
    throw new ValueError({
      package: '@ao/text-generation',
      expected: `positions up to ${MAX_POSITIONS}`,
      got: String(positions),
    })
  }
  const { inverseFrequencies, attentionFactor = 1 } = frequencies
  const half = inverseFrequencies.length
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * (inverseFrequencies[i] as number))
      cos[position * half + i] = Math.fround(Math.cos(angle)) * attentionFactor
      sin[position * half + i] = Math.fround(Math.sin(angle)) * attentionFactor
    }
  }
  const upload = (values: Float32Array): Tensor =>
    new DenseTensor(device.upload(dtype, fromFloat32Array(values, dtype)), [positions, half])
  return { cos: upload(cos), sin: upload(sin) }
}

/** @file Cosines and sines of the rotations by which Llama marks positions. */

import {
  DenseTensor,
  fromFloat32Array,
  type Device,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import type { RopeConfig } from './rope-config.ts'

/** Rotations of positions 0 to P - 1. */
export interface RotaryTable {
  /** (P, headDim / 2) */
  readonly cos: Tensor
  /** (P, headDim / 2) */
  readonly sin: Tensor
}

/**
 * Radians per position, for each pair of a head's elements: transformers' `inv_freq`, in float32.
 *
 * @returns headDim / 2 numbers, falling
 */
export function inverseFrequencies(rope: RopeConfig, headDim: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const frequency = 1 / Math.fround(rope.theta ** Math.fround((2 * i) / headDim))
    return scaleFrequency(rope, Math.fround(frequency))
  })
}

function scaleFrequency(rope: RopeConfig, frequency: number): number {
  switch (rope.type) {
    case 'default':
      return frequency
    case 'linear':
      return frequency / rope.factor
    case 'llama3': {
      // How often the wave turns within the context that the model was first trained on. Fast waves
      // stay, slow ones are stretched by the factor, those between go from one to the other linearly.
      const turns = (rope.originalMaxPositions * frequency) / (2 * Math.PI)
      const kept = (turns - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor)
      const share = Math.min(Math.max(kept, 0), 1)
      return share * frequency + ((1 - share) * frequency) / rope.factor
    }
  }
}

/** The table of `positions` rotations, rounded to `dtype`. */
export function rotaryTable(
  rope: RopeConfig,
  headDim: number,
  positions: number,
  dtype: FloatDType,
  device: Device,
): RotaryTable {
  const frequencies = inverseFrequencies(rope, headDim)
  const half = frequencies.length
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * (frequencies[i] as number))
      cos[position * half + i] = Math.cos(angle)
      sin[position * half + i] = Math.sin(angle)
    }
  }
  const upload = (values: Float32Array): Tensor =>
    new DenseTensor(device.upload(dtype, fromFloat32Array(values, dtype)), [positions, half])
  return { cos: upload(cos), sin: upload(sin) }
}

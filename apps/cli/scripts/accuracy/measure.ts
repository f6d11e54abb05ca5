/** @file What a quantized weight loses and takes: of random weights, and of a trained model's. */

import {
  cast,
  fromFloat32,
  hostFloat32,
  linear,
  type FloatDType,
  type Tensor,
  type TensorSubclass,
} from '@ao/base-tensor'
import { openCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { modelPath } from '@ao/test-data'
import { normalNumbers, sqnr } from '@ao/test-kit'

/** Quantizes a weight (N, K). */
export type Quantize = (weight: Tensor) => TensorSubclass

/** Weights (N, K) of float32. */
export type Weights = readonly Tensor[]

/** What is lost, as a mean over the weights, and what is taken. */
export interface Measured {
  /** Signal to quantization noise ratio of the weight, in dB. */
  readonly weight: number
  /** The same of `linear` on a normal input. */
  readonly linear: number
  /** For each weight's element, scales and padding included. */
  readonly bytes: number
}

const INPUT_ROWS = 32

/** One weight (1024, 4096) of normally distributed numbers. */
export function normalWeights(): Weights {
  return [normal([1024, 4096], 1)]
}

/** The weights of the linear layers of the trained model in this repository. */
export async function trainedWeights(): Promise<Weights> {
  const checkpoint = await openCheckpoint(directory(modelPath('stories-4m')))
  const names = checkpoint.names.filter((name) => name.endsWith('_proj.weight'))
  const weights: Tensor[] = []
  for await (const [, weight] of checkpoint.entries({ names })) {
    weights.push(cast(weight, 'float32'))
  }
  await checkpoint.close()
  return weights
}

/** @param dtype - what weights and inputs are rounded to first */
export function measure(weights: Weights, dtype: FloatDType, quantize: Quantize): Measured {
  const sum = { weight: 0, linear: 0, bytes: 0, elements: 0 }
  for (const exact of weights) {
    const weight = cast(exact, dtype)
    const input = cast(normal([INPUT_ROWS, exact.shape[1] as number], 2), dtype)
    const quantized = quantize(weight)
    sum.weight += ratio(weight, quantized.dequantize())
    sum.linear += ratio(linear(float32(input), float32(weight)), linear(input, quantized))
    sum.bytes += quantized.nbytes
    sum.elements += weight.numel
  }
  return {
    weight: sum.weight / weights.length,
    linear: sum.linear / weights.length,
    bytes: sum.bytes / sum.elements,
  }
}

function normal(shape: readonly number[], seed: number): Tensor {
  return fromFloat32(
    normalNumbers(
      shape.reduce((a, b) => a * b),
      seed,
    ),
    shape,
    'float32',
  )
}

function ratio(exact: Tensor, other: Tensor): number {
  return sqnr(hostFloat32(exact), hostFloat32(other))
}

function float32(tensor: Tensor): Tensor {
  return cast(tensor, 'float32')
}

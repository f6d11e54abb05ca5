/**
 * @file How fast a weight is quantized, and a token multiplied with it, on one core.
 *
 * Run with `npx tsx --conditions=@ao/source bench/quantize.ts`. Megabytes of quantizing are those of the
 * float weight, and of linear those of the quantized one.
 */

import { fromFloat32, linear, type DenseTensor, type FloatDType } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'

const N = 2048
const K = 4096
const ROUNDS = 7

for (const dtype of ['bfloat16', 'float16', 'float32'] as const) {
  for (const groupSize of [32, 128]) measure(dtype, groupSize)
}

function measure(dtype: FloatDType, groupSize: number): void {
  const hp = random([N, K], dtype)
  const x = random([1, K], dtype)
  let weight = Int4PlainInt32Tensor.fromHp(hp, { granularity: PerGroup(groupSize) })
  const quantizing = fastest(() => {
    weight = Int4PlainInt32Tensor.fromHp(hp, { granularity: PerGroup(groupSize) })
  })
  const multiplying = fastest(() => linear(x, weight))
  const rate = (bytes: number, ms: number): string =>
    `${(bytes / ms / 1000).toFixed(0)} MB/s`.padStart(9)
  console.log(
    `${dtype.padEnd(8)} groups of ${String(groupSize).padEnd(3)}` +
      `  quantize ${rate(hp.nbytes, quantizing)}  linear of a token ${rate(weight.nbytes, multiplying)}`,
  )
}

function fastest(run: () => void): number {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    run()
    best = Math.min(best, performance.now() - start)
  }
  return best
}

function random(shape: readonly [number, number], dtype: FloatDType): DenseTensor {
  const values = new Float32Array(shape[0] * shape[1])
  for (let i = 0; i < values.length; i++) values[i] = (Math.random() + Math.random() - 1) * 0.1
  return fromFloat32(values, shape, dtype)
}

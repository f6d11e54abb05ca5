/**
 * @file How fast a bfloat16 weight is quantized to int8: choosing scales and quantizing together.
 *
 * Run with `npx tsx --conditions=@ao/source bench/quantize.ts`. Megabytes are those of the weight.
 */

import { fromFloat32, type DenseTensor, type FloatDType } from '@ao/base-tensor'
import { getBlockSize, PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
import { chooseQparamsAffine, dequantizeAffine, quantizeAffine } from '@ao/quant-primitives'

const N = 2048
const K = 4096
const ROUNDS = 7

const GRANULARITIES: readonly [string, Granularity][] = [
  ['per row', PerRow()],
  ['per group of 128', PerGroup(128)],
  ['per group of 32', PerGroup(32)],
  ['per tensor', PerTensor()],
  ['per column', PerRow(0)],
]

for (const dtype of ['bfloat16', 'float16', 'float32'] as const) {
  for (const [name, granularity] of GRANULARITIES) measure(name, dtype, granularity)
}

function measure(name: string, dtype: FloatDType, granularity: Granularity): void {
  const weight = randomWeight(dtype)
  const blockSize = getBlockSize(weight.shape, granularity)
  const times = { quantize: Infinity, dequantize: Infinity }
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    const { scale, zeroPoint } = chooseQparamsAffine(weight, 'SYMMETRIC', blockSize, 'int8', {
      eps: 2 ** -23,
      scaleDtype: 'float32',
      zeroPointDtype: 'int8',
      keepdim: true,
    })
    const codes = quantizeAffine(weight, blockSize, scale, zeroPoint, 'int8')
    const middle = performance.now()
    dequantizeAffine(codes, blockSize, scale, zeroPoint, 'int8', { outputDtype: dtype })
    times.quantize = Math.min(times.quantize, middle - start)
    times.dequantize = Math.min(times.dequantize, performance.now() - middle)
  }
  const rate = (ms: number): string => `${(weight.nbytes / ms / 1000).toFixed(0)} MB/s`
  console.log(
    `${dtype.padEnd(9)} ${name.padEnd(17)} choose + quantize ${rate(times.quantize).padStart(9)}` +
      `   dequantize ${rate(times.dequantize).padStart(9)}`,
  )
}

function randomWeight(dtype: FloatDType): DenseTensor {
  const values = new Float32Array(N * K)
  for (let i = 0; i < values.length; i++) values[i] = (Math.random() + Math.random() - 1) * 0.1
  return fromFloat32(values, [N, K], dtype)
}

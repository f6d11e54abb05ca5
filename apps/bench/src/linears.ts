/** @file One linear after another: every format, shape and number of rows. */

import {
  DenseTensor,
  fromFloat32Array,
  linear,
  type FloatDType,
  type QuantizationConfig,
  type Tensor,
  freeTensor,
} from '@ao/base-tensor'
import { Float8DynamicActivationFloat8WeightConfig, Float8WeightOnlyConfig } from '@ao/float8'
import { PerGroup, PerRow } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int4PreshuffledTensor } from '@ao/int4-preshuffled'
import { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'
import { Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig } from '@ao/int8'
import { Int8DynamicActivationIntxWeightConfig, IntxWeightOnlyConfig } from '@ao/intx'
import type { Explanation, WebGPUDevice } from '@ao/kernels-webgpu'
import { Int4WeightOnlyConfig } from '@ao/quantize'
import { timeCalls } from './environment.ts'
import { timeMatMulNBits } from './onnxruntime.ts'
import { randomWeight } from './random-tensors.ts'

/** One row of the table. */
export interface LinearCase {
  readonly format: string
  readonly m: number
  readonly k: number
  readonly n: number
  /** Of int4 formats. */
  readonly groupSize?: number
}

export interface LinearResult extends LinearCase {
  readonly variant: string
  readonly microseconds: number
  readonly gigabytesPerSecond: number
  readonly teraflops: number
  /** Of the bandwidth of a copy; a memory-bound kernel cannot be faster than 1. */
  readonly shareOfCopy: number
  readonly onnxruntime: number | undefined
}

export interface LinearOptions {
  readonly dtype: FloatDType
  /** Bytes a second of a copy. */
  readonly bandwidth: number
  /** ONNX Runtime's provider to time the same shape with; not timed unless given. */
  readonly peer: string | undefined
  /** Weights go through more bytes than caches hold. */
  readonly distinctBytes: number
  /** Times that a row is timed; the median counts. */
  readonly rounds: number
  /** Fewest calls that are timed together. */
  readonly calls: number
}

const INT4_FORMATS = {
  preshuffled: Int4PreshuffledTensor,
  'preshuffled, no zero points': Int4PreshuffledTensor,
  plain: Int4Tensor,
  plain_int32: Int4PlainInt32Tensor,
  tile_packed_to_4d: Int4TilePackedTo4dTensor,
} as const

/** Weights of symmetric codes, as those that ONNX Runtime is compared with. */
const SYMMETRIC = 'preshuffled, no zero points'

function withoutZeros(weight: Int4PreshuffledTensor): Int4PreshuffledTensor {
  const { qdata, groupScale, groupZero, blockSize, shape, dtype } = weight
  if (groupZero) groupZero.device.free(groupZero.storage)
  return new Int4PreshuffledTensor({ qdata, groupScale, blockSize, shape, dtype })
}

/** The config of a format's name in the table. */
export function configOf(format: string, groupSize: number = 32): QuantizationConfig | undefined {
  const packingFormat = INT4_FORMATS[format as keyof typeof INT4_FORMATS]
  if (packingFormat) return new Int4WeightOnlyConfig({ groupSize, packingFormat })
  if (format === 'int8') return new Int8WeightOnlyConfig()
  if (format === 'int8 dynamic') return new Int8DynamicActivationInt8WeightConfig()
  const [weightDtype, granularity] = ['int4', PerGroup(groupSize)] as const
  if (format === 'intx int4') return new IntxWeightOnlyConfig({ weightDtype, granularity })
  if (format === '8da4w') {
    const weightGranularity = granularity
    return new Int8DynamicActivationIntxWeightConfig({ weightDtype, weightGranularity })
  }
  if (format === 'float8') return new Float8WeightOnlyConfig()
  if (format === 'float8 dynamic') {
    return new Float8DynamicActivationFloat8WeightConfig({ granularity: PerRow() })
  }
  return undefined
}

/** The shapes of the table: the MLP and the attention of an 8B Llama; small ones when `isQuick`. */
export function linearCases(isQuick: boolean): LinearCase[] {
  const [d, f] = isQuick ? [256, 896] : [4096, 14336]
  const [many, most] = isQuick ? [33, 64] : [128, 512]
  const up = { k: d, n: f }
  const down = { k: f, n: d }
  const square = { k: d, n: d }
  const shuffled = { format: 'preshuffled', groupSize: 32 }
  const symmetric = { format: SYMMETRIC, groupSize: 32 }
  const others = ['plain', 'plain_int32', 'tile_packed_to_4d']
  return [
    ...[up, down, square].map((shape) => ({ ...shuffled, m: 1, ...shape })),
    ...[up, down, square].map((shape) => ({ ...symmetric, m: 1, ...shape })),
    ...[up, down].flatMap((shape) =>
      [shuffled, symmetric].map((format) => ({ ...format, groupSize: 128, m: 1, ...shape })),
    ),
    ...others.map((format) => ({ format, groupSize: 32, m: 1, ...up })),
    ...[2, 4, 8, 16, 32, many, most].map((m) => ({ ...shuffled, m, ...up })),
    ...others.map((format) => ({ format, groupSize: 32, m: most, ...up })),
    ...[up, square].map((shape) => ({ format: 'int8', m: 1, ...shape })),
    ...[16, most].map((m) => ({ format: 'int8', m, ...up })),
    ...[1, 16, many, most].map((m) => ({ format: 'int8 dynamic', m, ...up })),
    ...['intx int4', '8da4w'].flatMap((format) => [
      ...[up, down, square].map((shape) => ({ format, m: 1, ...shape })),
      ...[16, most].map((m) => ({ format, m, ...up })),
    ]),
    ...[up, square].map((shape) => ({ format: 'float8', m: 1, ...shape })),
    ...[16, most].map((m) => ({ format: 'float8', m, ...up })),
    ...[1, 16].map((m) => ({ format: 'float8 dynamic', m, ...up })),
    ...[1, most].map((m) => ({ format: 'dense', m, ...up })),
  ]
}

/** Times one row. */
export async function measureLinear(
  device: WebGPUDevice,
  row: LinearCase,
  options: LinearOptions,
): Promise<LinearResult> {
  const { dtype, bandwidth, distinctBytes } = options
  const { format, m, k, n, groupSize } = row
  const config = configOf(format, groupSize)
  const first = makeWeight(device, row, config, dtype, 1)
  const count = Math.min(Math.max(Math.ceil(distinctBytes / first.nbytes), 1), 64)
  const weights = [first]
  while (weights.length < count) {
    weights.push(makeWeight(device, row, config, dtype, weights.length + 1))
  }
  const x = input(device, [m, k], dtype)
  const isProduct = ({ op }: Explanation): boolean => /linear$/i.test(op)
  const variant = device.explain(linear, [x, first]).findLast(isProduct)?.variant ?? ''
  const calls = Math.max(count, m >= 128 ? Math.ceil(options.calls / 4) : options.calls)
  const nanoseconds = await timeCalls(
    device,
    (round) => linear(x, weights[round % count] as Tensor),
    { calls, rounds: options.rounds },
  )
  const bytes = first.nbytes + x.nbytes + (m * n * x.nbytes) / x.numel
  for (const tensor of [...weights, x]) freeTensor(tensor)
  device.trim()
  const comparable = groupSize !== undefined && options.peer !== undefined
  const peerCase = { m, k, n, groupSize: groupSize ?? 32, dtype: dtype as 'float16' | 'float32' }
  return {
    ...row,
    variant,
    microseconds: nanoseconds / 1000,
    gigabytesPerSecond: bytes / nanoseconds,
    teraflops: (2 * m * k * n) / nanoseconds / 1000,
    shareOfCopy: bytes / nanoseconds / (bandwidth / 1e9),
    onnxruntime: comparable
      ? 1e6 * (await timeMatMulNBits(peerCase, options.peer as string, distinctBytes))
      : undefined,
  }
}

function makeWeight(
  device: WebGPUDevice,
  { format, k, n }: LinearCase,
  config: QuantizationConfig | undefined,
  dtype: FloatDType,
  seed: number,
): Tensor {
  // tinygemm's format is made of bfloat16 weights alone.
  const weightDtype = format === 'tile_packed_to_4d' ? 'bfloat16' : dtype
  if (config) {
    const weight = randomWeight(config, [n, k], { device, dtype: weightDtype, seed })
    return format === SYMMETRIC ? withoutZeros(weight as Int4PreshuffledTensor) : weight
  }
  return input(device, [n, k], dtype)
}

/** Activations as they are in a model: around 0, of size about 1. */
function input(
  device: WebGPUDevice,
  shape: readonly [number, number],
  dtype: FloatDType,
): DenseTensor {
  const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * 0.37))
  return new DenseTensor(device.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

/** @file Results of linears on this GPU, held against the CPU's. */

import {
  cpu,
  DenseTensor,
  fromFloat32Array,
  linear,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import type { WebGPUDevice } from '@ao/kernels-webgpu'
import { compareWithReference } from '@ao/kernels-webgpu/testing'
import { configOf } from './linears.ts'
import { randomWeight } from './random-tensors.ts'

/** One product. */
export interface AccuracyCase {
  readonly format: string
  readonly m: number
  readonly k: number
  readonly n: number
  readonly dtype: FloatDType
  /** Largest magnitude of the input. */
  readonly magnitude: number
}

export interface AccuracyResult extends AccuracyCase {
  readonly variant: string
  /** `mean((gpu - cpu)^2) / mean(cpu^2)` */
  readonly nmse: number
}

const FORMATS = ['preshuffled', 'plain', 'plain_int32', 'tile_packed_to_4d', 'int8', 'int8 dynamic']

/** Every way to multiply, at usual sizes, and at long K with large inputs; few when `isQuick`. */
export function accuracyCases(isQuick: boolean, dtypes: readonly FloatDType[]): AccuracyCase[] {
  const rows = isQuick ? [1, 5] : [1, 2, 5, 16, 64, 200]
  const lengths = isQuick ? [1024] : [4096, 16384]
  return FORMATS.flatMap((format) =>
    dtypes.flatMap((dtype) =>
      lengths.flatMap((k) =>
        rows
          .filter((m) => k === lengths[0] || m <= 64)
          .map((m) => {
            // Not a multiple of any tile, but of eight, as one format must be.
            const n = isQuick ? 24 : 72
            return { format, m, k, n, dtype, magnitude: k === lengths[0] ? 1 : 1e4 }
          }),
      ),
    ),
  )
}

/** Computes a case on the GPU and on the CPU. */
export async function measureAccuracy(
  device: WebGPUDevice,
  each: AccuracyCase,
): Promise<AccuracyResult> {
  const { format, m, k, n, dtype, magnitude } = each
  const config = configOf(format)
  if (!config) throw new Error(`${format} is not a quantized format`)
  const weightDtype = format === 'tile_packed_to_4d' ? 'bfloat16' : dtype
  const weight = randomWeight(config, [n, k], { device: cpu, dtype: weightDtype, seed: k + m })
  const values = Float32Array.from({ length: m * k }, (_, i) => magnitude * Math.sin(i * 0.37 + m))
  const x = new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), [m, k])
  const args = [x, weight] as [Tensor, Tensor]
  const there = (await Promise.all(args.map((tensor) => tensor.to(device)))) as [Tensor, Tensor]
  const isProduct = ({ op }: { readonly op: string }): boolean => /linear$/i.test(op)
  const variant = device.explain(linear, there).findLast(isProduct)?.variant ?? ''
  const { nmse } = await compareWithReference(device, linear, args)
  return { ...each, variant, nmse }
}

/** @file ONNX Runtime's WebGPU provider on the same products: chains of its `MatMulNBits`. */

import { fromArray, fromFloat32, type DenseTensor } from '@ao/base-tensor'
import { onnxMatMulNBitsModel, type MatMulNBits } from '@ao/interop'
import { median, randomWords } from './statistics.ts'

/** What is multiplied: x (m, k), weights (n, k) of int4 in groups. */
export interface PeerCase {
  readonly m: number
  readonly k: number
  readonly n: number
  readonly groupSize: number
  readonly dtype: 'float16' | 'float32'
}

const WARM_UP_MILLISECONDS = 400
const SHORT = 2
const LONG = 18

/**
 * Seconds of one linear, the mean of (k -> n) and (n -> k): two chains that differ in length are timed,
 * and their difference divided, which takes the session's own overhead out.
 *
 * @param provider - `webgpu`, or `cpu`
 * @param distinctBytes - chains go through different weights of at least so many bytes
 */
export function timeMatMulNBits(
  peer: PeerCase,
  provider: string,
  distinctBytes: number,
): Promise<number> {
  const { m, k, n, groupSize, dtype } = peer
  const key = [m, Math.min(k, n), Math.max(k, n), groupSize, dtype, provider].join()
  let time = timed.get(key)
  if (!time) timed.set(key, (time = timeChains(peer, provider, distinctBytes)))
  return time
}

/** One format of ours after another is compared with the same chains. */
const timed = new Map<string, Promise<number>>()

async function timeChains(
  peer: PeerCase,
  provider: string,
  distinctBytes: number,
): Promise<number> {
  const pairBytes = peer.k * peer.n
  const count = Math.min(Math.max(Math.ceil(distinctBytes / pairBytes), 1), SHORT + LONG)
  const pairs = Array.from({ length: count }, (_, i) => [
    randomWeight(peer.k, peer.n, peer, 2 * i + 1),
    randomWeight(peer.n, peer.k, peer, 2 * i + 2),
  ])
  const chain = (length: number): MatMulNBits[] =>
    Array.from({ length }, (_, i) => pairs[i % count] as MatMulNBits[]).flat()
  const short = await timeModel(onnxMatMulNBitsModel(chain(SHORT)), peer, provider)
  const long = await timeModel(onnxMatMulNBitsModel(chain(SHORT + LONG)), peer, provider)
  return (long - short) / (2 * LONG)
}

async function timeModel(model: Uint8Array, peer: PeerCase, provider: string): Promise<number> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node')
  const session = await InferenceSession.create(model, {
    executionProviders: [provider],
    logSeverityLevel: 3,
  })
  const { m, k, dtype } = peer
  const values =
    dtype === 'float16' ? new Uint16Array(m * k).fill(0x1000) : new Float32Array(m * k).fill(0.01)
  const x = new Tensor(dtype as 'float32', values as Float32Array, [m, k])
  const run = async (): Promise<number> => {
    const start = performance.now()
    const { y } = await session.run({ x })
    await y?.getData()
    return (performance.now() - start) / 1000
  }
  // A GPU's clock takes a while to rise.
  const warm = performance.now() + WARM_UP_MILLISECONDS
  for (let i = 0; i < 3 || performance.now() < warm; i++) await run()
  const times: number[] = []
  for (let i = 0; i < 25; i++) times.push(await run())
  await session.release()
  return median(times)
}

function randomWeight(
  k: number,
  n: number,
  { groupSize, dtype }: PeerCase,
  seed: number,
): MatMulNBits {
  const groups = k / groupSize
  const bytes = new Uint8Array(randomWords((n * k) / 8, seed).buffer)
  const B = fromArray(bytes, [n, groups, groupSize / 2], 'uint8')
  return {
    B,
    scales: scales(n * groups, dtype, seed),
    attributes: { K: k, N: n, bits: 4, block_size: groupSize, accuracy_level: 0 },
  }
}

function scales(count: number, dtype: 'float16' | 'float32', seed: number): DenseTensor {
  const values = Float32Array.from(
    randomWords(count, seed),
    (word) => 0.001 + (0.002 * word) / 2 ** 32,
  )
  return fromFloat32(values, [count], dtype) as DenseTensor
}

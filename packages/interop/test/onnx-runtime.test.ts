/** @file Models that this package wrote, run by ONNX Runtime on its CPU. */

import {
  cast,
  fromArray,
  hostArray,
  hostFloat32,
  linear,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import { Int4Tensor, PerGroup } from '@ao/int4'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int8Tensor } from '@ao/int8'
import { onnxMatMulNBitsModel, toMatMulNBits, toMatMulNBits8, type MatMulNBits } from '@ao/interop'
import { sqnr } from '@ao/test-kit'
import { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node'
import { describe, expect, it, vi } from 'vitest'
import { randn } from './support.ts'

// Where there is a Float16Array, the runtime's JavaScript makes one, and its native part cannot read it.
vi.stubGlobal('Float16Array', undefined)

/** `linear(x, weight, bias)` by ONNX Runtime. */
async function run(
  weight: MatMulNBits | readonly MatMulNBits[],
  x: DenseTensor,
  bias?: Tensor,
): Promise<Float32Array> {
  const model = onnxMatMulNBitsModel(weight, { bias })
  const session = await InferenceSession.create(model, { executionProviders: ['cpu'] })
  const type = [weight].flat()[0]!.scales.dtype as 'float32' | 'float16'
  const input = new OnnxTensor(type as 'float32', hostArray(x) as Float32Array, x.shape)
  const { y } = await session.run({ x: input })
  await session.release()
  if (type === 'float32') return y!.data as Float32Array
  const bits = y!.data as Uint16Array
  const array = new Uint16Array(bits.buffer, bits.byteOffset, bits.length)
  return hostFloat32(fromArray(array, y!.dims, 'float16'))
}

const shapes = [
  { n: 64, k: 128, group: 16 },
  { n: 96, k: 256, group: 32 },
  { n: 48, k: 192, group: 64 },
  { n: 33, k: 384, group: 128 }, // rows of three zero points
  { n: 1, k: 32, group: 32 },
  { n: 256, k: 2048, group: 256 },
]

describe.each(shapes)('MatMulNBits of N = $n, K = $k, blocks of $group', ({ n, k, group }) => {
  const weight = randn(n, k)
  const granularity = PerGroup(group)
  const x = randn(5, k, 'float32', 2)
  const bias = randn(1, n, 'float32', 3).select(0, 0)

  it('gives our linear of floating zero points', async () => {
    const ours = Int4Tensor.fromHp(weight, { granularity })
    const theirs = await run(toMatMulNBits(ours.toCodes()), x, bias)
    expect(sqnr(hostFloat32(linear(x, ours, bias)), theirs)).toBeGreaterThan(110)
  })

  it('gives our linear of integer zero points', async () => {
    const ours = Int4PlainInt32Tensor.fromHp(weight, { granularity })
    const theirs = await run(toMatMulNBits(ours.toCodes()), x)
    expect(sqnr(hostFloat32(linear(x, ours)), theirs)).toBeGreaterThan(110)
  })

  it('gives our linear of symmetric codes', async () => {
    const ours = Int4Tensor.fromHp(weight, { granularity, activationDtype: 'float8_e4m3fn' })
    const converted = toMatMulNBits(ours.toCodes())
    expect(converted).toMatchObject({ zeroPoints: undefined, sqnr: Infinity })
    const theirs = await run(converted, x)
    expect(sqnr(hostFloat32(linear(x, ours.dequantize())), theirs)).toBeGreaterThan(110)
  })

  it('gives our linear of int8 codes', async () => {
    const ours = Int8Tensor.fromHp(weight, {
      granularity: { type: 'PerGroup', groupSize: group },
      mappingType: 'ASYMMETRIC',
    })
    const { qdata, scale, zeroPoint, dtype } = ours
    const codes = { codes: qdata, scale, zeroPoint, groupSize: group, dtype }
    const theirs = await run(toMatMulNBits8(codes), x)
    expect(sqnr(hostFloat32(linear(x, ours)), theirs)).toBeGreaterThan(110)
  })

  it('comes within 30 dB when inputs are rounded to int8, as accuracy level 4 allows', async () => {
    const ours = Int4PlainInt32Tensor.fromHp(weight, { granularity })
    const theirs = await run(toMatMulNBits(ours.toCodes(), { accuracyLevel: 4 }), x)
    expect(sqnr(hostFloat32(linear(x, ours)), theirs)).toBeGreaterThan(30)
  })
})

it('runs in float16', async () => {
  const ours = Int4PlainInt32Tensor.fromHp(randn(64, 256, 'float16'), { granularity: PerGroup(32) })
  const x = randn(3, 256, 'float16', 2)
  const theirs = await run(toMatMulNBits(ours.toCodes(), { dtype: 'float16' }), x)
  const reference = linear(cast(x, 'float32'), ours.dequantize('float32'))
  expect(sqnr(hostFloat32(reference), theirs)).toBeGreaterThan(60)
})

it('refuses a bias of a dtype that ONNX Runtime does not take', () => {
  const weight = toMatMulNBits(
    Int4Tensor.fromHp(randn(4, 32), { granularity: PerGroup(32) }).toCodes(),
  )
  const bias = randn(1, 4, 'bfloat16').select(0, 0)
  expect(() => onnxMatMulNBitsModel(weight, { bias })).toThrow(
    '[@ao/interop] Expected tensors of float32, float16 or uint8, got bfloat16.',
  )
})

describe('a chain of MatMulNBits', () => {
  it('multiplies by each weight in turn, and stores one that comes again once', async () => {
    const options = { granularity: PerGroup(32) }
    const up = Int4Tensor.fromHp(randn(96, 64), options)
    const down = Int4Tensor.fromHp(randn(64, 96, 'float32', 5), options)
    const [first, second] = [toMatMulNBits(up.toCodes()), toMatMulNBits(down.toCodes())]
    const x = randn(3, 64, 'float32', 2)
    const chain = [first, second, first]
    const ours = linear(linear(linear(x, up), down), up)
    expect(sqnr(hostFloat32(ours), await run(chain, x))).toBeGreaterThan(100)
    const single = onnxMatMulNBitsModel([first, second]).length
    expect(onnxMatMulNBitsModel(chain).length - single).toBeLessThan(300)
  })
})

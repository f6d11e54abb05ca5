import {
  cast,
  copy,
  copyInto,
  fromFloat32Array,
  DenseTensor,
  cpu,
  zeros,
  type StoredDType,
  asDense,
  readFloat32,
} from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()
const device = gpu && (await WebGPUDevice.create({ gpu, kernels: [denseKernels] }))

function numbers(shape: number[], dtype: StoredDType = 'float32', scale = 50): DenseTensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + 0.3) * scale)
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

describe.skipIf(!device)('dense kernels', () => {
  const on = device as WebGPUDevice
  const dtypes = ['float32', 'float16', 'bfloat16', 'int8', 'uint8', 'int32'] as const
  it.each(dtypes.flatMap((from) => dtypes.map((to) => [from, to] as const)))(
    'casts %s to %s',
    async (from, to) => {
      const source = numbers([37], from, from === 'uint8' || to === 'uint8' ? 0 : 100)
      await expectReference(on, cast, [source, to])
    },
  )

  it.each(['float32', 'float16', 'bfloat16'] as const)(
    'casts every float8_e4m3fn to %s',
    async (to) => {
      const codes = Uint8Array.from({ length: 256 }, (_, i) => i)
      const source = new DenseTensor(cpu.upload('float8_e4m3fn', codes), [256])
      const there = cast(await source.to(on), to)
      expect(await readFloat32(there)).toEqual(await readFloat32(cast(source, to)))
    },
  )

  it.each(dtypes)('copies windows of %s', async (dtype) => {
    const source = numbers([5, 7, 6], dtype)
    await expectReference(on, copy, [source])
    for (const view of [
      (t: DenseTensor) => t.transpose(0, 2),
      (t: DenseTensor) => t.narrow(2, 1, 3),
      (t: DenseTensor) => t.select(1, 3).transpose(0, 1),
    ]) {
      const there = await source.to(on)
      const target = zeros([40, 9], dtype, on).narrow(0, 1, 30).narrow(1, 1, 5)
      expect(await readFloat32(view(there).clone())).toEqual(
        await readFloat32(view(source).clone()),
      )
      void target
    }
    const [to, host] = [zeros([9, 11], dtype, on), zeros([9, 11], dtype)]
    const part = (t: DenseTensor): DenseTensor => t.narrow(0, 1, 5).narrow(1, 3, 7)
    part(to).copy_((await source.to(on)).select(2, 1))
    part(host).copy_(source.select(2, 1))
    expect(await readFloat32(to)).toEqual(await readFloat32(host))
    void [copyInto, asDense]
  })

  it('explains which kernel runs, and which better one does not fit', async () => {
    const [explanation] = on.explain(cast, [await numbers([3]).to(on), 'int8'])
    expect(explanation?.variant).toBe('four elements a thread')
    expect(explanation?.refused).toEqual([{ variant: 'none', when: 'the dtype stays' }])
  })
})

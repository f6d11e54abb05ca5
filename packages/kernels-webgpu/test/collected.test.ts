/** @file What the garbage collector gives back, and what it leaves. */

import { add, DenseTensor, readFloat32, type Recording, type Tensor } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Collects until `isDone`, for a while: finalizers run when they like. */
async function collectUntil(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 40 && !isDone(); i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const open = (): Promise<WebGPUDevice> =>
  WebGPUDevice.create({ gpu: gpu as GPU, kernels: [denseKernels] })

const four = (device: WebGPUDevice, value: number): DenseTensor =>
  new DenseTensor(device.upload('float32', new Float32Array(4).fill(value)), [4])

describe.skipIf(!gpu)('the garbage collector', () => {
  it('gives back what recordings work in, when nobody holds them', async () => {
    const device = await open()
    const x = four(device, 1)
    const { used } = device.memory
    const record = async (): Promise<void> => {
      const { result, replay } = device.record(() => add(add(add(x, x), x), x))
      replay()
      expect(await readFloat32(result)).toEqual(new Float32Array(4).fill(4))
    }
    for (let i = 0; i < 10; i++) await record()
    expect(device.memory.used).toBeGreaterThan(used)
    await collectUntil(() => device.memory.used === used)
    expect(device.memory.used).toBe(used)
    expect(await readFloat32(x)).toEqual(new Float32Array(4).fill(1))
    device.destroy()
  })

  it('leaves what a recording reads, and what its replay() needs', async () => {
    const device = await open()
    let replay = (): void => undefined
    const sum = four(device, 0)
    const seen: WeakRef<DenseTensor>[] = []
    const record = (): void => {
      const x = four(device, 1)
      seen.push(new WeakRef(x))
      const recording: Recording<Tensor> = device.record(() => sum.copy_(add(sum, x)))
      replay = recording.replay
    }
    record()
    await device.finish()
    const { used } = device.memory
    await collectUntil(() => seen[0]?.deref() === undefined)
    await device.finish()
    expect(device.memory.used).toBe(used)
    for (let i = 0; i < 20; i++) four(device, 1000) // would take the memory of x
    replay()
    expect(await readFloat32(sum)).toEqual(new Float32Array(4).fill(2))
    device.destroy()
  })
})

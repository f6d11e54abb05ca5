import {
  add,
  cpu,
  defineOp,
  DenseTensor,
  DeviceError,
  fromFloat32,
  inScope,
  readFloat32,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, kernel, WebGPUDevice, wgsl, type Counted } from '@ao/kernels-webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()

const program = wgsl(
  'shift',
  `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Params { by: u32 }
@group(1) @binding(0) var<uniform> params: Params;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) { y[i] = x[i] + f32(params.by); }`,
)

/** `x + by`, of four numbers, with a number that is counted. */
const shift: Op<[x: Tensor, by: Counted], Tensor> = defineOp({
  name: 'test.shiftCounted',
  reference: (x: Tensor, by: Counted): Tensor =>
    fromFloat32(new Float32Array(x.numel).fill(by.counter.value + by.plus), x.shape, 'float32'),
})

const shiftKernel = kernel(shift, [
  {
    name: 'only',
    when: 'always',
    run: (on, x, by) => {
      const y = on.empty(x.shape, 'float32')
      on.dispatch(program(), { bind: [on.dense(x), y], params: [by], workgroups: [1] })
      return y
    },
  },
])

const open = (): Promise<WebGPUDevice> =>
  WebGPUDevice.create({ gpu: gpu as GPU, kernels: [denseKernels, [shiftKernel]] })

const four = (device: WebGPUDevice, ...values: number[]): DenseTensor =>
  new DenseTensor(device.upload('float32', Float32Array.from(values)), [values.length])

const numbers = async (tensor: Tensor): Promise<number[]> => [...(await readFloat32(tensor))]

describe.skipIf(!gpu)('a recording', () => {
  it('does its work again, on the numbers that are there then', async () => {
    const device = await open()
    const x = four(device, 1, 2, 3, 4)
    const recording = device.record(() => add(add(x, x), x))
    expect(await numbers(recording.result)).toEqual([3, 6, 9, 12])
    x.copy_(four(device, 5, 6, 7, 8))
    expect(await numbers(recording.result)).toEqual([3, 6, 9, 12])
    recording.replay()
    expect(await numbers(recording.result)).toEqual([15, 18, 21, 24])
    device.destroy()
  })

  it('feeds what it made to its next run, many times in one submission', async () => {
    const device = await open()
    const x = four(device, 1, 1, 1, 1)
    const one = four(device, 1, 2, 3, 4)
    const recording = device.record(() => void x.copy_(add(x, one)))
    await device.flush()
    const before = device.submissions
    for (let i = 0; i < 99; i++) recording.replay()
    expect(await numbers(x)).toEqual([101, 201, 301, 401])
    expect(device.submissions).toBe(before + 1)
    device.destroy()
  })

  it('splits more replays than a batch holds', async () => {
    const device = await open()
    const counter = { value: 1 }
    const x = four(device, 0, 0, 0, 0)
    const recording = device.record(() => void x.copy_(shift(x, { counter, plus: 0 })))
    for (let i = 0; i < 5000; i++) recording.replay()
    expect(await numbers(x)).toEqual([5001, 5001, 5001, 5001])
    device.destroy()
  })

  it('counts counters anew', async () => {
    const device = await open()
    const counter = { value: 10 }
    const x = four(device, 0, 1, 2, 3)
    const recording = device.record(() => shift(x, { counter, plus: 5 }))
    expect(await numbers(recording.result)).toEqual([15, 16, 17, 18])
    counter.value = 20
    recording.replay()
    expect(await numbers(recording.result)).toEqual([25, 26, 27, 28])
    device.destroy()
  })

  it('works in memory of its own, and gives it back', async () => {
    const device = await open()
    const x = four(device, 1, 2, 3, 4)
    const { used } = device.memory
    const recording = device.record(() => add(add(x, x), x))
    expect(device.memory.used).toBeGreaterThan(used)
    // Were its buffers free for others, a replay would write over these.
    const others = Array.from({ length: 8 }, (_, i) => four(device, i, i, i, i))
    recording.replay()
    for (const [i, other] of others.entries()) expect(await numbers(other)).toEqual([i, i, i, i])
    for (const { storage } of others) device.free(storage)
    device.free((recording.result as DenseTensor).storage)
    recording.dispose()
    expect(device.memory.used).toBe(used)
    device.destroy()
  })

  it('notices what was freed, and refuses to be replayed', async () => {
    const device = await open()
    const [x, y] = [four(device, 1, 2, 3, 4), four(device, 1, 1, 1, 1)]
    const reads = device.record(() => add(x, y))
    const writes = device.record(() => void y.copy_(x))
    const fine = device.record(() => add(x, x))
    expect([reads.isCurrent, writes.isCurrent]).toEqual([true, true])
    device.free(y.storage)
    const other = four(device, 9, 9, 9, 9) // in the buffer that y had
    expect([reads.isCurrent, writes.isCurrent, fine.isCurrent]).toEqual([false, false, true])
    for (const { replay } of [reads, writes]) {
      expect(replay).toThrow(DeviceError)
      expect(replay).toThrow('got a tensor that was freed since. Record it again')
    }
    fine.replay()
    fine.dispose()
    expect(fine.isCurrent).toBe(false)
    expect(() => fine.replay()).toThrow('got a recording that was disposed')
    expect(await numbers(other)).toEqual([9, 9, 9, 9])
    expect(await numbers(reads.result)).toEqual([2, 3, 4, 5])
    await device.finish()
    device.destroy()
  })

  it('is not made or replayed within another', async () => {
    const device = await open()
    const x = four(device, 1, 2, 3, 4)
    const recording = device.record(() => add(x, x))
    expect(() => device.record(() => recording.replay())).toThrow('got a replay')
    expect(() => device.record(() => device.record(() => add(x, x)))).toThrow(
      'got another recording',
    )
    recording.replay()
    expect(await numbers(recording.result)).toEqual([2, 4, 6, 8])
    device.destroy()
  })

  it('refuses uploads, reads and flushes, and leaves the device as it was', async () => {
    const device = await open()
    const x = four(device, 1, 2, 3, 4)
    expect(() => device.record(() => four(device, 1))).toThrow(DeviceError)
    await expect(device.record(() => x.data()).result).rejects.toThrow('while it is recorded')
    expect(() => device.record(() => void device.flush())).not.toThrow()
    expect(() =>
      device.record(() => {
        add(x, x)
        void device.flush()
      }),
    ).toThrow('no flush in it')
    expect(await numbers(inScope(device, () => add(x, x)))).toEqual([2, 4, 6, 8])
    device.destroy()
  })
})

it('is not there on the CPU', () => {
  expect(cpu.record).toBeUndefined()
})

import {
  add,
  AoError,
  cast,
  cpu,
  defineOp,
  DenseTensor,
  inScope,
  MissingKernelError,
  readFloat32,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import {
  denseKernels,
  DeviceLostError,
  elapsed,
  grid,
  kernel,
  KernelError,
  profile,
  WebGPUDevice,
  wgsl,
  type GPU,
  type WebGPUDeviceOptions,
} from '@ao/kernels-webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()

/** `x + by`, with a kernel made here, as another package would. */
const shift: Op<[x: Tensor, by: number], Tensor> = defineOp({
  name: 'test.shift',
  reference: (x: Tensor, by: number): Tensor =>
    new DenseTensor(cpu.upload('float32', new Float32Array(x.numel).fill(by)), x.shape),
})

const shiftProgram = wgsl(
  'shift',
  `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Params { n: u32, by: f32 }
@group(1) @binding(0) var<uniform> params: Params;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.n) { y[id.x] = x[id.x] + params.by; }
}`,
)

const shiftKernel = kernel(shift, [
  {
    name: 'huge',
    when: 'more than 1000 elements',
    fits: (_, x) => x.numel > 1000,
    run: () => {
      throw new Error('not in these tests')
    },
  },
  {
    name: 'plain',
    when: 'always',
    run: (on: GPU, x: Tensor, by: number): Tensor => {
      const from = on.dense(x)
      const to = on.empty(x.shape, 'float32')
      on.dispatch(shiftProgram(), {
        bind: [from, to],
        params: [x.numel, { f32: by }],
        workgroups: grid(Math.ceil(x.numel / 64)),
      })
      return to
    },
  },
])

const open = (options: Partial<WebGPUDeviceOptions> = {}): Promise<WebGPUDevice> =>
  WebGPUDevice.create({
    gpu: gpu as globalThis.GPU,
    kernels: [denseKernels, [shiftKernel]],
    ...options,
  })

const vector = (values: number[]): DenseTensor =>
  new DenseTensor(cpu.upload('float32', Float32Array.from(values)), [values.length])

describe.skipIf(!gpu)('WebGPUDevice', () => {
  it('holds tensors of every width, at any offset', async () => {
    const device = await open()
    for (const array of [
      Int8Array.of(1, -2, 3, -4, 5),
      Uint16Array.of(1, 2, 65535),
      Float32Array.of(0.5, -0.25),
      BigInt64Array.of(-1n, 2n ** 40n),
    ] as const) {
      const dtype = { 1: 'int8', 2: 'bfloat16', 4: 'float32', 8: 'int64' } as const
      const kind = dtype[array.BYTES_PER_ELEMENT as 1]
      const host = new DenseTensor(cpu.upload(kind, array), [array.length])
      const there = await host.to(device)
      expect(await there.data()).toEqual(array)
      expect(await there.narrow(0, 1, 1).data()).toEqual(array.slice(1, 2))
    }
    device.destroy()
  })

  it('runs a kernel that was passed to it, and explains the choice', async () => {
    const device = await open()
    const x = await vector([1, 2, 3]).to(device)
    expect(await readFloat32(shift(x, 0.5))).toEqual(Float32Array.of(1.5, 2.5, 3.5))
    expect(device.explain(shift, [x, 1])).toEqual([
      {
        op: 'test.shift',
        variant: 'plain',
        when: 'always',
        refused: [{ variant: 'huge', when: 'more than 1000 elements' }],
      },
    ])
    device.destroy()
  })

  it('submits once for any number of calls', async () => {
    const device = await open()
    const x = await vector([0]).to(device)
    await readFloat32(shift(x, 1)) // compiles
    const before = device.submissions
    let sum: Tensor = x
    for (let i = 0; i < 300; i++) sum = shift(sum, 1)
    expect(await readFloat32(sum)).toEqual(Float32Array.of(300))
    expect(device.submissions - before).toBe(1)
    device.destroy()
  })

  it('splits more calls than a batch holds, in order', async () => {
    const device = await open()
    let sum: Tensor = await vector([0]).to(device)
    for (let i = 0; i < 5000; i++) {
      const next = shift(sum, 1)
      device.free((sum as DenseTensor).storage)
      sum = next
    }
    expect(await readFloat32(sum)).toEqual(Float32Array.of(5000))
    device.destroy()
  })

  it('frees what a scope made, but for its result', async () => {
    const device = await open()
    const x = await vector([1, 2]).to(device)
    const before = device.memory.used
    const [a, nested] = inScope(device, () => {
      const first = shift(x, 1)
      const inner = inScope(device, () => {
        shift(first, 5)
        return shift(first, 2)
      })
      return [first, { inner }] as const
    })
    expect(device.memory.used - before).toBe(2 * 256)
    expect(await readFloat32(nested.inner)).toEqual(Float32Array.of(4, 5))
    expect(() =>
      device.scope(() => {
        throw new Error('as it was')
      }),
    ).toThrow('as it was')
    const gone = inScope(device, () => ({ hidden: () => shift(a, 1) })).hidden
    expect(await readFloat32(gone())).toEqual(Float32Array.of(3, 4))
    device.destroy()
  })

  it('uses freed buffers again, and refuses freed tensors', async () => {
    const device = await open()
    const x = await vector([1, 2]).to(device)
    const run = (): void => {
      device.scope(() => void shift(shift(shift(x, 1), 1), 1))
    }
    run()
    await device.finish()
    const { used, pooled } = device.memory
    for (let i = 0; i < 100; i++) run()
    await device.finish()
    expect(device.memory).toEqual({ used, pooled })
    device.trim()
    expect(device.memory).toEqual({ used, pooled: 0 })
    device.free(x.storage)
    expect(() => shift(x, 1)).toThrow(
      'Expected a tensor whose memory is in use, got one that was freed.',
    )
    device.destroy()
  })

  it('does not overwrite a freed buffer that waiting work reads', async () => {
    const device = await open()
    const x = await vector([7]).to(device)
    const y = shift(x, 1) // recorded, not submitted
    device.free(x.storage)
    const z = await vector([100]).to(device)
    expect(await readFloat32(y)).toEqual(Float32Array.of(8))
    expect(await readFloat32(z)).toEqual(Float32Array.of(100))
    device.destroy()
  })

  it('zeroes new tensors, also in buffers that were used', async () => {
    const device = await open()
    const x = await vector([1, 2, 3]).to(device)
    device.free(x.storage)
    await device.finish()
    expect(await readFloat32(zeros([3], 'float32', device))).toEqual(new Float32Array(3))
    device.destroy()
  })

  it('names the kernel that is missing, and where it comes from', async () => {
    const device = await open({ kernels: [] })
    const x = await vector([1]).to(device)
    const error = catchError(() => cast(x, 'int8'))
    expect(MissingKernelError.isInstance(error)).toBe(true)
    expect(String(error)).toContain(
      'Expected a kernel for cast, got a device without one. Pass denseKernels of @ao/kernels-webgpu, or those of the package that defines it, in the kernels of WebGPUDevice.create().',
    )
    expect(String(catchError(() => shift(x, 1)))).toContain('such as @ao/test/webgpu')
    device.destroy()
  })

  it('rejects with what a shader that does not compile says', async () => {
    const broken = kernel(shift, [
      {
        name: 'broken',
        when: 'always',
        run: (on: GPU, x: Tensor): Tensor => {
          const to = on.empty(x.shape, 'float32')
          on.dispatch(brokenProgram(), { bind: [on.dense(x), to], workgroups: [1] })
          return to
        },
      },
    ])
    const device = await open({ kernels: [denseKernels, [broken]] })
    const y = shift(await vector([1]).to(device), 1)
    const error = await readFloat32(y).catch((reason: unknown) => reason)
    expect(KernelError.isInstance(error)).toBe(true)
    expect(String(error)).toMatch(/Expected the kernel broken to compile, got line \d+: .*nonsense/)
    device.destroy()
  })

  it('refuses tensors that are larger than a buffer', async () => {
    const device = await open({ capabilities: { maxBufferSize: 1024 } })
    expect(() => zeros([257], 'float32', device)).toThrow(
      'Expected a tensor of at most 1024 bytes, the largest buffer of this GPU, got 1028 bytes. Cut it, for example by rows',
    )
    device.destroy()
  })

  it('rejects waiting work when the GPU is lost, and a new device goes on', async () => {
    const device = await open()
    const y = shift(await vector([1]).to(device), 1)
    const reading = readFloat32(y).catch((reason: unknown) => reason)
    device.gpu.destroy()
    expect(DeviceLostError.isInstance(await reading)).toBe(true)
    await device.gpu.lost
    const error = catchError(() => shift(y, 1))
    expect(AoError.isInstance(error)).toBe(true)
    expect(String(error)).toMatch(
      /Expected the GPU device to be there, got a lost one \(destroyed: .*Make a new device/,
    )
    await expect(device.flush()).rejects.toThrow('a lost one')
    const next = await open()
    expect(await readFloat32(shift(await vector([1]).to(next), 1))).toEqual(Float32Array.of(2))
    next.destroy()
  })

  it('shares a GPUDevice with its owner, and leaves it alive', async () => {
    const adapter = await (gpu as globalThis.GPU).requestAdapter()
    const owned = await (adapter as GPUAdapter).requestDevice()
    const device = await open({ device: owned })
    expect(await readFloat32(shift(await vector([1]).to(device), 1))).toEqual(Float32Array.of(2))
    device.destroy()
    expect(() => zeros([1], 'float32', device)).toThrow('destroy() was called')
    const buffer = owned.createBuffer({ size: 4, usage: 0x80 })
    buffer.destroy()
    owned.destroy()
  })

  it('keeps two devices apart', async () => {
    const [a, b] = [await open(), await open()]
    const x = await vector([1]).to(a)
    const y = await vector([2]).to(b)
    expect(() => add(x, y)).toThrow('all tensors of add on one device')
    const [xs, ys] = await Promise.all([readFloat32(shift(x, 1)), readFloat32(shift(y, 1))])
    expect([xs[0], ys[0]]).toEqual([2, 3])
    a.destroy()
    expect(await readFloat32(shift(y, 2))).toEqual(Float32Array.of(4))
    b.destroy()
  })

  it('times kernels by the clock of the GPU', async () => {
    const device = await open()
    if (device.capabilities.timestamps) {
      const x = await vector([1]).to(device)
      const times = await profile(device, () => void shift(shift(x, 1), 2))
      expect(times.map(({ kernel: name }) => name)).toEqual(['shift', 'shift'])
      for (const { nanoseconds } of times) expect(nanoseconds).toBeGreaterThanOrEqual(0)
      // Clocks may go by steps of 65 us.
      const work = (): void => {
        for (let i = 0; i < 200; i++) shift(x, i)
      }
      expect(await elapsed(device, work)).toBeGreaterThan(0)
    }
    device.destroy()
  })
})

const brokenProgram = wgsl(
  'broken',
  `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main() { y[0] = nonsense(x[0]); }`,
)

function catchError(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('expected an error')
}

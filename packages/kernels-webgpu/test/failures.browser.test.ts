import { asDense, defineOp, DenseTensor, readFloat32, type Op, type Tensor } from '@ao/base-tensor'
import { denseKernels, kernel, KernelError, WebGPUDevice, wgsl } from '@ao/kernels-webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()

const SUM = `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) { y[i] = a[i] + b[i]`
const sumProgram = wgsl('sum', `${SUM}; }`)
const brokenProgram = wgsl('broken', `${SUM} + nonsense; }`)

interface How {
  readonly broken?: boolean
  readonly workgroups?: readonly [number, number?, number?]
  readonly bind?: (a: DenseTensor, b: DenseTensor, y: DenseTensor) => DenseTensor[]
}

/** `a + b` of four numbers, by a kernel that fails as it is told. */
const sum: Op<[a: Tensor, b: Tensor, how?: How], Tensor> = defineOp({
  name: 'test.sum',
  reference: (a: Tensor): Tensor => a,
})

const sumKernel = kernel(sum, [
  {
    name: 'only',
    when: 'always',
    run: (on, a, b, how = {}) => {
      const [left, right, y] = [on.dense(a), on.dense(b), on.empty([4], 'float32')]
      on.dispatch(how.broken ? brokenProgram() : sumProgram(), {
        bind: how.bind?.(left, right, y) ?? [left, right, y],
        workgroups: how.workgroups ?? [1],
      })
      return y
    },
  },
])

const open = async (): Promise<WebGPUDevice> => {
  const adapter = (await (gpu as GPU).requestAdapter()) as GPUAdapter
  const device = await adapter.requestDevice()
  return WebGPUDevice.create({ device, kernels: [denseKernels, [sumKernel]] })
}

const four = (device: WebGPUDevice, value: number): DenseTensor =>
  new DenseTensor(device.upload('float32', new Float32Array(4).fill(value)), [4])

const freeTensor = (tensor: Tensor): void => tensor.device.free(asDense(tensor).storage)

const first = async (tensor: Tensor): Promise<number> => (await readFloat32(tensor))[0] as number

const failure = (tensor: Tensor): Promise<unknown> =>
  readFloat32(tensor).then(
    (numbers) => `the numbers ${numbers.join()}`,
    (error: unknown) => error,
  )

async function expectFailure(tensor: Tensor, message: RegExp): Promise<void> {
  const error = await failure(tensor)
  expect(KernelError.isInstance(error), String(error)).toBe(true)
  expect(String(error)).toMatch(message)
}

describe.skipIf(!gpu)('what cannot be dispatched is refused when it is called', () => {
  it.each<[string, How]>([
    ['NaN workgroups', { workgroups: [NaN] }],
    ['NaN workgroups in z', { workgroups: [1, 1, NaN] }],
    ['infinite workgroups', { workgroups: [Infinity] }],
    ['half a workgroup', { workgroups: [1, 0.5] }],
    ['fewer than none', { workgroups: [-1] }],
    ['more than the limit', { workgroups: [65536] }],
    ['too few bindings', { bind: (a, b) => [a, b] }],
    ['writing what is read', { bind: (a, b) => [a, b, a] }],
    ['a window that begins anywhere', { bind: (a, b, y) => [a.narrow(0, 1, 3), b, y] }],
  ])('%s', async (_name, how) => {
    const device = await open()
    const x = four(device, 1)
    const good = sum(x, x)
    expect(() => sum(x, x, how)).toThrow(KernelError)
    expect(() => sum(x, x, how)).toThrow(/Expected the kernel sum to be given .*, got /)
    expect([await first(good), await first(good), await first(sum(good, x))]).toEqual([2, 2, 3])
    await device.finish()
    device.destroy()
  })

  it('but no workgroups are nothing to do', async () => {
    const device = await open()
    const x = four(device, 1)
    const good = sum(x, x)
    sum(x, x, { workgroups: [0] })
    sum(x, x, { workgroups: [1, 1, 0] })
    expect(await first(good)).toBe(2)
    await device.finish()
    device.destroy()
  })
})

describe.skipIf(!gpu)('a kernel that does not compile', () => {
  it('fails the reads of what depends on it, and no others', async () => {
    const device = await open()
    const x = four(device, 1)
    const target = four(device, 5)
    const [before, broken, after] = [sum(x, x), sum(x, x, { broken: true }), sum(x, x)]
    const depends = sum(after, broken)
    target.copy_(broken)
    const [good, bad] = await Promise.all([first(before), failure(depends)])
    expect(good).toBe(2)
    expect(String(bad)).toMatch(/Expected the kernel broken to compile/)
    for (const tensor of [broken, depends, target, sum(x, depends), broken]) {
      await expectFailure(tensor, /the kernel broken to compile/)
    }
    expect([await first(before), await first(after), await first(sum(before, after))]).toEqual([
      2, 2, 4,
    ])
    // Memory that it would have written is as good as any for others.
    for (const tensor of [broken, depends, target]) freeTensor(tensor)
    expect(await first(sum(four(device, 3), x))).toBe(4)
    await device.finish()
    device.destroy()
  })

  it('is told to who flushes, once, if nobody reads it', async () => {
    const device = await open()
    const x = four(device, 1)
    sum(x, x, { broken: true })
    await expect(device.flush()).rejects.toThrow('the kernel broken to compile')
    await device.flush()
    sum(x, x, { broken: true })
    await expect(device.finish()).rejects.toThrow(KernelError)
    await device.finish()
    device.destroy()
  })

  it('fails every replay of what has it', async () => {
    const device = await open()
    const x = four(device, 1)
    const recording = device.record(() => [sum(x, x), sum(x, x, { broken: true })] as const)
    for (let i = 0; i < 2; i++) {
      expect(await first(recording.result[0])).toBe(2)
      await expectFailure(recording.result[1], /broken/)
      recording.replay()
    }
    device.destroy()
  })

  it('in a graph of calls: reads fail where it is an ancestor, and are right elsewhere', async () => {
    const device = await open()
    const x = four(device, 1)
    const node = fc.record({
      left: fc.nat(),
      right: fc.nat(),
      broken: fc.nat(5).map((n) => n === 0),
      flush: fc.nat(4).map((n) => n === 0),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 12 }), async (nodes) => {
        const made: { tensor: Tensor; value: number }[] = [{ tensor: x, value: 1 }]
        for (const { left, right, broken, flush } of nodes) {
          const [a, b] = [left, right].map((at) => made[at % made.length]) as typeof made
          const value = broken ? NaN : (a?.value ?? 0) + (b?.value ?? 0)
          made.push({ tensor: sum(a?.tensor ?? x, b?.tensor ?? x, { broken }), value })
          if (flush) void device.flush().catch(() => undefined)
        }
        for (const { tensor, value } of made.toReversed()) {
          if (Number.isNaN(value)) await expectFailure(tensor, /broken/)
          else expect(await first(tensor)).toBe(value)
        }
      }),
      { numRuns: 40 },
    )
    device.destroy()
  })
})

const refuse = (): never => {
  throw new TypeError('no overload matched')
}

/** Puts `method` in the place of an object's own, until it is called `times` times. */
function replace(
  holder: object,
  name: string,
  method: (...args: never[]) => unknown,
  times = Infinity,
): () => void {
  const restore = (): void => void Reflect.deleteProperty(holder, name)
  let calls = 0
  Object.defineProperty(holder, name, {
    configurable: true,
    value: (...args: never[]) => {
      if (++calls === times) restore()
      return method(...args)
    },
  })
  return restore
}

describe.skipIf(!gpu)('work that WebGPU does not take', () => {
  const places: [string, (device: GPUDevice, times?: number) => () => void][] = [
    ['submit() throws', (on, times) => replace(on.queue, 'submit', refuse, times)],
    ['no encoder', (on, times) => replace(on, 'createCommandEncoder', refuse, times)],
    ['params are not written', (on, times) => replace(on.queue, 'writeBuffer', refuse, times)],
  ]

  it.each(places)('%s, once: it is handed over again', async (_name, spoil) => {
    const device = await open()
    const x = four(device, 1)
    const [good, more] = [sum(x, x), sum(x, sum(x, x))]
    spoil(device.gpu, 1)
    expect([await first(good), await first(more), await first(good)]).toEqual([2, 3, 2])
    await device.finish()
    device.destroy()
  })

  it.each([...places, ['commands are not valid', invalidate] as const])(
    '%s: nothing of it is read, the rest is right',
    async (_name, spoil) => {
      const device = await open()
      const [x, target] = [four(device, 1), four(device, 7)]
      const good = sum(x, x)
      target.copy_(x)
      await device.flush() // compiles, so that the next flush submits at once
      const restore = spoil(device.gpu)
      const lost = sum(x, x)
      target.copy_(lost)
      void device.flush().catch(() => undefined)
      restore()
      // Submitted before WebGPU has said that the batch before was not taken.
      const [depends, fine] = [sum(lost, good), sum(good, good)]
      const reads = [depends, lost, target].map(failure)
      expect(await first(fine)).toBe(4)
      for (const error of await Promise.all(reads)) {
        expect(KernelError.isInstance(error), String(error)).toBe(true)
        expect(String(error)).toContain('Expected WebGPU to take a batch of work, got ')
      }
      await expectFailure(sum(target, x), /WebGPU to take a batch of work/)
      expect([await first(good), await first(good), await first(sum(good, x))]).toEqual([2, 2, 3])
      await device.finish().catch(() => undefined)
      await device.finish()
      device.destroy()
    },
  )

  it('a bind group that throws does so in the call', async () => {
    const device = await open()
    const x = four(device, 1)
    const good = sum(x, x)
    const y = four(device, 2)
    replace(device.gpu, 'createBindGroup', refuse, 1)
    expect(() => sum(x, y)).toThrow('no overload matched')
    expect([await first(good), await first(sum(x, y))]).toEqual([2, 3])
    device.destroy()
  })

  it('a call that throws while it is encoded takes only itself along', async () => {
    const device = await open()
    const x = four(device, 1)
    const [before, lost, after] = [sum(x, x), sum(x, x), sum(x, x)]
    const depends = sum(lost, after)
    const encoder = device.gpu.createCommandEncoder()
    const begin = encoder.beginComputePass.bind(encoder)
    encoder.beginComputePass = (...args) => {
      const pass = begin(...args)
      const dispatch = pass.dispatchWorkgroups.bind(pass)
      let calls = 0
      pass.dispatchWorkgroups = (...counts) => (calls++ === 1 ? refuse() : dispatch(...counts))
      return pass
    }
    replace(device.gpu, 'createCommandEncoder', () => encoder, 1)
    const reads = [before, lost, after, depends].map(failure)
    const [a, b, c, d] = await Promise.all(reads)
    expect([a, c]).toEqual(['the numbers 2,2,2,2', 'the numbers 2,2,2,2'])
    for (const error of [b, d]) {
      expect(String(error)).toContain('Expected WebGPU to take a call of sum, got no overload')
    }
    await expectFailure(depends, /a call of sum/)
    await device.finish()
    device.destroy()
  })
})

function invalidate(device: GPUDevice): () => void {
  const encoder = device.createCommandEncoder()
  const buffer = device.createBuffer({ size: 16, usage: 0x08 })
  encoder.clearBuffer(buffer, 3, 4) // not by fours
  return replace(device, 'createCommandEncoder', () => encoder, 1)
}

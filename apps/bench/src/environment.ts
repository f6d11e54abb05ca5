/** @file The GPU that is measured, and how fast it copies. */

import { DenseTensor, inScope, type Device } from '@ao/base-tensor'
import { denseKernels, elapsed, WebGPUDevice, wgsl, type KernelSet } from '@ao/kernels-webgpu'
import { create, globals } from 'webgpu'
import { median } from './statistics.ts'

// shader-f16 on NVIDIA, subgroup matrices, and a clock without steps.
const ENABLED = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia']
const DISABLED = ['timestamp_quantization']

let kept: GPU | undefined // Dawn ends with the last reference to it

/**
 * The best GPU of this machine, through Dawn.
 *
 * @param usesMatrices - whether kernels may multiply by matrices of subgroups
 */
export async function openGPU(
  kernels: readonly KernelSet[],
  usesMatrices: boolean,
): Promise<WebGPUDevice> {
  Object.assign(globalThis, globals)
  const backend = process.env['AO_WEBGPU_BACKEND'] ?? 'vulkan'
  kept = create([
    `backend=${backend}`,
    `enable-dawn-features=${ENABLED.join(',')}`,
    `disable-dawn-features=${DISABLED.join(',')}`,
  ])
  return WebGPUDevice.create({
    gpu: kept,
    kernels: [denseKernels, ...kernels],
    capabilities: usesMatrices ? {} : { subgroupMatrices: [] },
  })
}

const copyProgram = /* @__PURE__ */ wgsl(
  'copy-bandwidth',
  `
@group(0) @binding(0) var<storage, read> from_: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> to_: array<vec4u>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * groups.x + group.x) * 1024u + lane;
  for (var i = first; i < min(first + 1024u, arrayLength(&from_)); i += 256u) { to_[i] = from_[i]; }
}`,
)

/** Bytes read and written a second when all of a large buffer is copied: what kernels are held against. */
export async function copyBandwidth(device: WebGPUDevice, bytes: number): Promise<number> {
  const from = new DenseTensor(device.allocate('float32', bytes / 4), [bytes / 4])
  const to = new DenseTensor(device.allocate('float32', bytes / 4), [bytes / 4])
  const groups = Math.ceil(bytes / 16 / 4 / 256)
  const rows = Math.ceil(groups / 65535)
  const copy = (): void =>
    device.dispatch(copyProgram(), {
      bind: [from, to],
      workgroups: [Math.ceil(groups / rows), rows],
    })
  await elapsed(device, copy)
  if (bytes > 2 ** 28) await warmUp(device)
  const times: number[] = []
  for (let i = 0; i < 10; i++) times.push(await elapsed(device, copy))
  for (const { storage } of [from, to]) device.free(storage)
  return (2 * bytes) / (median(times) * 1e-9)
}

const nothingProgram = /* @__PURE__ */ wgsl(
  'nothing',
  `
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) i: u32) { out[i] += 1u; }`,
)

/** Nanoseconds of a dispatch that does next to nothing and waits for the one before: what each costs at least. */
export function dispatchNanoseconds(device: WebGPUDevice, isQuick: boolean): Promise<number> {
  const out = device.empty([64], 'float32')
  const call = (): void =>
    device.dispatch(nothingProgram(), { bind: [out], params: [], workgroups: [1] })
  return timeCalls(device, call, isQuick ? { calls: 4, rounds: 1 } : { calls: 200, rounds: 9 })
}

/** Runs `call` often enough to be timed; nanoseconds of one call, the median of several rounds. */
export async function timeCalls(
  device: WebGPUDevice & Device,
  call: (round: number) => unknown,
  { calls, rounds }: { readonly calls: number; readonly rounds: number },
): Promise<number> {
  let next = 0
  const run = (): void => {
    // A scope for each call: the result's buffer is used again, so calls follow each other as in a model.
    for (let i = 0; i < calls; i++) inScope(device, () => void call(next++))
  }
  await elapsed(device, run) // compiles
  for (let attempt = 0; ; attempt++) {
    const isMeasured = rounds > 1
    if (isMeasured) await warmUp(device)
    await elapsed(device, run)
    const times: number[] = []
    for (let i = 0; i < rounds; i++) times.push((await elapsed(device, run)) / calls)
    if (!isMeasured || attempt === 3 || (await isAtFullClock(device))) return median(times)
  }
}

const spinProgram = /* @__PURE__ */ wgsl(
  'spin',
  `
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var x = f32(id.x);
  for (var i = 0u; i < 400000u; i++) { x = fma(x, 0.999, 0.5); }
  out[id.x % 256u] = x;
}`,
)

const fastest = new WeakMap<GPUDevice, number>()

/** Nanoseconds of a kernel that only computes. */
async function spin(device: WebGPUDevice): Promise<number> {
  const out = device.empty([256], 'float32')
  const run = (): void => device.dispatch(spinProgram(), { bind: [out], workgroups: [132] })
  const time = await elapsed(device, run)
  device.free(out.storage)
  fastest.set(device.gpu, Math.min(time, fastest.get(device.gpu) ?? Infinity))
  return time
}

/** Whether the GPU computes as fast as it was ever seen to. */
async function isAtFullClock(device: WebGPUDevice): Promise<boolean> {
  return (await spin(device)) < 1.04 * (fastest.get(device.gpu) as number)
}

/**
 * Keeps the GPU busy until its clock has risen: one that had nothing to do for a while runs at a sixth of
 * it (an H100 at 345 MHz in place of 1980), and needs some 100 ms of work to come back.
 */
export async function warmUp(device: WebGPUDevice): Promise<void> {
  if (!device.capabilities.timestamps) return
  if (/swiftshader/i.test(device.gpu.adapterInfo.architecture)) return // in software, nothing sleeps
  const start = performance.now()
  const atLeast = fastest.has(device.gpu) ? 20 : 300
  let isFast = false
  while (performance.now() < start + atLeast || (!isFast && performance.now() < start + 2000)) {
    isFast = await isAtFullClock(device)
  }
}

/** @file For tests of formats: products with their weights, by every variant, against the reference. */

import {
  cpu,
  DenseTensor,
  fromFloat32Array,
  isTensor,
  numelOf,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, WebGPUDevice, type Capabilities, type KernelSet } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import type { LinearTuningOptions } from './tuning.ts'

/** One product: `x` (m, k) with a weight (n, k). */
export interface LinearCase {
  readonly variant: string
  readonly m: number
  readonly n: number
  readonly k: number
  readonly groupSize: number
  readonly dtype: FloatDType
  readonly hasBias?: boolean
  /** Largest magnitude of the input: 1 unless given. */
  readonly magnitude?: number
  readonly capabilities?: Partial<Capabilities>
}

/** What a format's products are tested with. */
export interface LinearSubject<Args extends readonly unknown[]> {
  readonly gpu: globalThis.GPU
  readonly kernels: (options?: LinearTuningOptions) => KernelSet
  readonly op: Op<Args, Tensor>
  /** Arguments of `op`, on the CPU; `weight` (n, k) is to be quantized. */
  readonly args: (x: Tensor, weight: Tensor, groupSize: number, bias: Tensor | undefined) => Args
}

// Sizes that no tile divides.
const small = { n: 70, k: 192, groupSize: 32, dtype: 'float32' } as const

/** A case for each variant that runs without shader-f16, and for what is special about some. */
export const LINEAR_CASES: readonly LinearCase[] = [
  { ...small, variant: 'gemv, subgroups', m: 1 },
  { ...small, variant: 'gemv, subgroups', m: 1, n: 131, dtype: 'bfloat16', hasBias: true },
  { ...small, variant: 'gemv', m: 1, groupSize: 64, dtype: 'float16', hasBias: true },
  { ...small, variant: 'gemv', m: 1, n: 6, k: 16384, groupSize: 256, magnitude: 1e4 },
  { ...small, variant: 'batch, subgroups', m: 5, groupSize: 64, dtype: 'float16', hasBias: true },
  { ...small, variant: 'batch', m: 3, n: 6, k: 16384, groupSize: 128, magnitude: 1e4 },
  { ...small, variant: 'gemm 64 x 64', m: 67, dtype: 'bfloat16', hasBias: true },
]

/** Cases of products in 16 bits, whose arithmetic runs in 32 where shaders have no f16. */
export const HALF_CASES: readonly LinearCase[] = [
  { ...small, variant: 'gemv, products in f16, subgroups', m: 1, dtype: 'float16' },
  {
    ...small,
    variant: 'gemv, products in f16',
    m: 1,
    n: 6,
    k: 16384,
    groupSize: 128,
    dtype: 'float16',
    magnitude: 1e4,
  },
  { ...small, variant: 'gemm, subgroup matrices', m: 19, n: 42, dtype: 'float16', magnitude: 1e4 },
]

/**
 * Fewer of them, for formats whose decoder others test with all: kernels that read parts of weights each in
 * their way.
 */
export const SHARED_DECODER_CASES: readonly LinearCase[] = [
  LINEAR_CASES[1] as LinearCase,
  LINEAR_CASES[4] as LinearCase,
  ...HALF_CASES.slice(1),
]

const SMALL_TILE = { m: 4, n: 8, subgroupM: 4, subgroupN: 4, step: 32, buffers: 2 } as const

/** For titles of tests. */
export function describeLinearCase(each: LinearCase): string {
  const { variant, m, n, k, groupSize, dtype, hasBias, magnitude } = each
  const size = magnitude === undefined ? '' : ` up to ${magnitude}`
  return `${variant}: ${dtype} ${m} x ${k}${size}, N ${n}, g ${groupSize}${hasBias ? ', bias' : ''}`
}

/**
 * Computes a case by its variant, and checks it against the reference.
 *
 * @throws {@link AoError} when it is off by more than the op allows, or by 1e-4 for products in f16
 */
export async function checkLinearCase<Args extends readonly unknown[]>(
  { gpu, kernels, op, args }: LinearSubject<Args>,
  each: LinearCase,
): Promise<void> {
  const { m, n, k, groupSize, dtype, magnitude = 1, capabilities } = each
  const options: LinearTuningOptions = { half: 'f32', matrix: { tiles: [SMALL_TILE] } }
  const own = onlyVariant(kernels(options), op, each.variant)
  const device = await WebGPUDevice.create({
    gpu,
    kernels: [denseKernels, own],
    ...(capabilities && { capabilities }),
  })
  const x = testNumbers([m, k], dtype, magnitude)
  const bias = each.hasBias ? testNumbers([n], dtype, magnitude) : undefined
  const call = args(x, testNumbers([n, k], dtype, 0.1, 1), groupSize, bias)
  try {
    await expectReference(device, op, call, HALF_CASES.includes(each) ? 1e-4 : undefined)
  } finally {
    device.destroy()
  }
}

/**
 * Compiles every variant as it would run on a GPU with shader-f16 and subgroup matrices.
 *
 * @param validator - a GPU that has these and computes nothing
 * @throws {@link KernelError} when one does not compile
 */
export async function compileVariants<Args extends readonly unknown[]>(
  validator: globalThis.GPU,
  { kernels, op, args }: Omit<LinearSubject<Args>, 'gpu'>,
  cases: readonly LinearCase[],
): Promise<void> {
  const capabilities = {
    subgroupMatrices: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
    minSubgroupSize: 32,
    maxSubgroupSize: 32,
  }
  for (const { variant, m, n, k, groupSize, dtype, hasBias } of cases) {
    const device = await WebGPUDevice.create({
      gpu: validator,
      kernels: [denseKernels, onlyVariant(kernels(), op, variant)],
      capabilities,
    })
    const bias = hasBias ? testNumbers([n], dtype) : undefined
    const call = args(testNumbers([m, k], dtype), testNumbers([n, k], dtype), groupSize, bias)
    op(...((await moveTensors(call, device)) as Args))
    await device.flush()
  }
}

async function moveTensors(value: unknown, device: WebGPUDevice): Promise<unknown> {
  if (isTensor(value)) return value.to(device)
  if (Array.isArray(value)) return Promise.all(value.map((part) => moveTensors(part, device)))
  return value
}

/** `kernels` with one variant of `op` alone. */
export function onlyVariant(
  kernels: KernelSet,
  op: { readonly opName: string },
  name: string,
): KernelSet {
  return kernels.map((kernel) =>
    kernel.op.opName === op.opName
      ? { ...kernel, variants: kernel.variants.filter((variant) => variant.name === name) }
      : kernel,
  )
}

/** Numbers that look random and are the same each time. */
export function testNumbers(
  shape: readonly number[],
  dtype: FloatDType = 'float32',
  magnitude: number = 1,
  seed: number = 0,
): DenseTensor {
  let state = 12345 + seed
  const values = Float32Array.from({ length: numelOf(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state / 2 ** 31 - 1) * magnitude
  })
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

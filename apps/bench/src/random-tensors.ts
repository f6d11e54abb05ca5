/** @file Weights with random content, made on the device: measuring needs sizes, not a trained model. */

import {
  DenseTensor,
  freeTensor,
  fromFloat32Array,
  inScope,
  isFloatDType,
  isSkipped,
  isTensorSubclass,
  meta,
  newArray,
  numelOf,
  zeros,
  type Device,
  type FloatDType,
  type QuantizationConfig,
  type StoredDType,
  type Tensor,
  type TensorSubclassType,
  type TypedArray,
} from '@ao/base-tensor'
import { grid, WebGPUDevice, wgsl } from '@ao/kernels-webgpu'
import { BitsTensor } from '@ao/quantized-linear'
import { randomWords } from './statistics.ts'

/** A tensor of the shape and dtype of `like` with random content on `device`; a quantized one by its parts. */
export function randomLike(like: Tensor, device: Device, seed: number = 1): Tensor {
  if (!isTensorSubclass(like)) return randomDense(like as DenseTensor, 'weight', device, seed)
  const { tensors, attributes } = like.flatten()
  const parts = Object.entries(tensors).map(
    ([name, part], i) => [name, randomDense(part, name, device, seed + 100 * i)] as const,
  )
  const type = like.constructor as TensorSubclassType
  const made = new type({ ...attributes, ...Object.fromEntries(parts) } as never)
  if (!(made instanceof BitsTensor)) return made
  // Planned with a byte for each code, as files have it.
  const placed = inScope(device, () => made.placed())
  if (placed !== made) freeTensor(made)
  return placed
}

/** A weight (n, k) that `config` quantizes, with random codes and scales. */
export function randomWeight(
  config: QuantizationConfig,
  [n, k]: readonly [number, number],
  {
    device,
    dtype,
    seed,
  }: { readonly device: Device; readonly dtype: FloatDType; readonly seed: number },
): Tensor {
  const planned = config.quantizeTensor(zeros([n, k], dtype, meta), { name: 'weight' })
  if (isSkipped(planned)) throw new Error(`[${n}, ${k}] cannot be quantized: ${planned.skipped}`)
  return randomLike(planned, device, seed)
}

const BLOCK = 1 << 18 // words that are made once and used over and over

function randomDense(like: DenseTensor, name: string, device: Device, seed: number): DenseTensor {
  if (device instanceof WebGPUDevice) return fill(device, like, name, seed)
  const length = numelOf(like.shape)
  return new DenseTensor(
    device.upload(like.dtype, content(like.dtype, length, name, seed)),
    like.shape,
  )
}

const fillProgram = /* @__PURE__ */ wgsl(
  'random',
  `
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
struct Params { seed: u32, first: f32, range: f32 }
@group(1) @binding(0) var<uniform> params: Params;

fn random(i: u32) -> u32 {
  var x = i * 747796405u + params.seed * 2891336453u + 1u;
  x = (x ^ (x >> 16u)) * 0x7feb352du;
  x = (x ^ (x >> 15u)) * 0x846ca68bu;
  return x ^ (x >> 16u);
}
fn number(i: u32) -> f32 { return params.first + params.range * f32(random(i) >> 8u) / 16777216.0; }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 256u + thread;
  if (i >= arrayLength(&words)) { return; }
#if DTYPE == float32
  words[i] = bitcast<u32>(number(i));
#endif
#if DTYPE == float16
  words[i] = pack2x16float(vec2f(number(2u * i), number(2u * i + 1u)));
#endif
#if DTYPE == bfloat16
  words[i] = (bitcast<u32>(number(2u * i)) >> 16u) | (bitcast<u32>(number(2u * i + 1u)) & 0xffff0000u);
#endif
#if DTYPE == codes
  words[i] = random(i);
#endif
#if DTYPE == float8
  words[i] = random(i) & 0xf7f7f7f7u; // none of them NaN or infinite
#endif
}`,
)

/** As `content` is, but made by the GPU. */
function fill(device: WebGPUDevice, like: DenseTensor, name: string, seed: number): DenseTensor {
  const { dtype, shape, nbytes } = like
  const isCode = name === 'qdata'
  // Memory of a device begins with zeros, as integer zero points are.
  if (!isFloatDType(dtype) && !isCode) return zeros(shape, dtype, device)
  const out = device.empty(shape, dtype)
  const [first, range] = /scale/i.test(name) ? [0.001, 0.002] : [-0.02, 0.04]
  const codes = dtype.startsWith('float8') ? 'float8' : 'codes'
  device.dispatch(fillProgram({ DTYPE: isFloatDType(dtype) ? dtype : codes }), {
    bind: [out],
    params: [seed, { f32: first }, { f32: range }],
    workgroups: grid(Math.ceil(nbytes / 4 / 256)),
  })
  return out
}

function content(dtype: StoredDType, length: number, name: string, seed: number): TypedArray {
  const isCode = name === 'qdata'
  const out = newArray(dtype, length)
  if (!isFloatDType(dtype) && !isCode) return out // integer zero points
  const bytes = new Uint8Array(out.buffer)
  const block = isCode ? codes(dtype, seed) : floats(dtype, name, seed)
  for (let at = 0; at < bytes.length; at += block.length) {
    bytes.set(block.subarray(0, Math.min(block.length, bytes.length - at)), at)
  }
  return out
}

function codes(dtype: StoredDType, seed: number): Uint8Array {
  const bytes = new Uint8Array(randomWords(BLOCK, seed).buffer)
  // Of float8, none that are NaN or infinite.
  return dtype.startsWith('float8') ? bytes.map((byte) => byte & 0xf7) : bytes
}

/** Small numbers around 0 for weights, from 0.001 to 0.003 for scales. */
function floats(dtype: StoredDType, name: string, seed: number): Uint8Array {
  const isScale = /scale/i.test(name)
  const values = Float32Array.from(randomWords(BLOCK >> 2, seed), (word) => {
    const unit = word / 2 ** 32
    return isScale ? 0.001 + 0.002 * unit : 0.04 * (unit - 0.5)
  })
  const array = fromFloat32Array(values, dtype)
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

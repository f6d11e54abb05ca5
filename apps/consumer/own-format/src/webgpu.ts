/** @file The product with a ternary weight on the GPU. */

import { add, cast, type Tensor } from '@ao/base-tensor'
import { grid, kernel, wgsl, type KernelSet } from '@ao/kernels-webgpu'
import { productShape, ternaryLinear } from './linear.ts'

// A workgroup for each output: its threads take words in turn, then add up what they have.
const program = /* @__PURE__ */ wgsl(
  'ternaryLinear',
  /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// words: of a row; group_words: of a group.
struct Params { count: u32, n: u32, words: u32, group_words: u32 }
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = group.y * groups.x + group.x;
  if (i >= params.count) { return; }
  let row = i % params.n * params.words;
  let first = i / params.n * params.words;
  var sum = 0.0;
  for (var w = thread; w < params.words; w += 64u) {
    let word = codes[row + w];
    var part = 0.0;
    for (var j = 0u; j < 16u; j++) {
      part += (f32((word >> (2u * j)) & 3u) - 1.0) * x[(first + w) * 16u + j];
    }
    sum += part * scale[(row + w) / params.group_words];
  }
  sums[thread] = sum;
  for (var step = 32u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { sums[thread] += sums[thread + step]; }
  }
  if (thread == 0u) { y[i] = sums[0]; }
}`,
)

/** For `WebGPUDevice.create({ kernels: [denseKernels, webgpuKernels] })`. */
export const webgpuKernels: KernelSet = [
  /* @__PURE__ */ kernel(ternaryLinear, [
    {
      name: 'a workgroup for each output',
      when: 'always',
      run: (gpu, x, weight, bias): Tensor =>
        gpu.scope(() => {
          const y = gpu.empty(productShape(x, weight, bias), 'float32')
          const [qdata, scale] = weight
          const [n, words] = qdata.shape as [number, number]
          gpu.dispatch(program(), {
            bind: [gpu.dense(cast(x, 'float32')), gpu.dense(qdata), gpu.dense(scale), y],
            params: [y.numel, n, words, words / (scale.shape[1] as number)],
            workgroups: grid(y.numel),
          })
          return cast(bias ? add(y, bias) : y, x.dtype)
        }),
    },
  ]),
]

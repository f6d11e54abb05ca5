/** @file Kernels of a ternary weight's ops, by a decoder of codes of two bits. */

import type { KernelSet } from '@ao/kernels-webgpu'
import { bitsDecoder, linearPrograms, weightKernels } from '@ao/quantized-linear/webgpu'
import { CODES } from './layout.ts'
import { dequantizeTernary, ternaryLinear, type TernaryWeight } from './ops.ts'

const decoder = /* @__PURE__ */ bitsDecoder({
  name: 'ternary',
  bits: 2,
  along: 'K',
  parts: ['scale'],
  wgsl: `
fn level_of(code: u32) -> f32 { return f32(code) - 1.0; }
fn qparams(row: u32, group: u32) -> Qparams { return Qparams(scale4(group * N + row), vec4f()); }`,
})

/** For `WebGPUDevice.create({ kernels: [denseKernels, webgpuKernels] })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ weightKernels(
  /* @__PURE__ */ linearPrograms(decoder),
  {
    linear: ternaryLinear,
    dequantize: dequantizeTernary,
    stored: ([codes, scale]: TernaryWeight) => {
      const [n, words] = codes.shape as [number, number]
      const k = CODES * words
      const groupSize = k / (scale.shape[0] as number)
      return { n, k, groupSize, parts: { codes, scale }, isSymmetric: true }
    },
    isExperts: ([codes]) => codes.ndim === 3,
  },
)

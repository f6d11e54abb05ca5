/** @file Which test file walks which packages. */

/** Folders of packages, by test file. */
export const GROUPS = {
  tensors: ['base-tensor', 'granularity', 'nn', 'quant-primitives'],
  formats: [
    ...['int4', 'int4-plain-int32', 'int4-preshuffled', 'int4-tile-packed-to-4d', 'int8'],
    ...['float8', 'interop', 'intx', 'quantize', 'quantized-linear', 'uintx'],
  ],
  models: [
    ...['causal-lm', 'kernels-webgpu', 'llama', 'safetensors', 'test-kit', 'text-generation'],
    'torch-files',
  ],
} as const

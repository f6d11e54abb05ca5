/**
 * @file What a user's bundle may cost. Each fixture is bundled for browsers from the built packages,
 * minified and gzipped. `maxBytes` is about 10 % above what was measured: raise it in the commit
 * that causes it, and say why there. `packages` are the only packages whose code may be in it, and
 * none of `mustNotAppear` may occur in its text. Those with a `label` are in README.md under that name.
 */
const WGSL = ['@compute', '@workgroup_size', 'var<storage']
const ARITHMETIC = ['base-tensor', 'granularity', 'quant-primitives']
const SHARED = [...ARITHMETIC, 'quantized-linear']

const INT8_LINEAR = `
import { Int8Tensor, linear, PerRow, readFloat32, tensor } from '@ao/int8'
const hp = tensor([[0.5, -1], [0.25, 0.75]])
const weight = Int8Tensor.fromHp(hp, { granularity: PerRow() })
export const y = await readFloat32(linear(tensor([[1, -2]]), weight))
`

const INT8_CODES = `
import { PerRow, quantizeToInt8, readFloat32, tensor, weightOnlyLinear } from '@ao/int8'
const { qdata, scale } = quantizeToInt8(tensor([[0.5, -1]]), { granularity: PerRow() })
export const y = await readFloat32(weightOnlyLinear(tensor([[1, -2]]), [qdata, scale, undefined]))
`

export const fixtures = [
  {
    name: 'one granularity',
    code: `export { PerRow } from '@ao/granularity'`,
    packages: ['base-tensor', 'granularity'],
    mustNotAppear: WGSL,
    maxBytes: 820,
  },
  {
    name: 'a dense tensor',
    code: `export { tensor } from '@ao/base-tensor'`,
    packages: ['base-tensor'],
    mustNotAppear: WGSL,
    maxBytes: 5200,
  },
  {
    name: 'a dense tensor and linear',
    label: 'tensors and `linear`',
    code: `export { tensor, linear } from '@ao/base-tensor'`,
    packages: ['base-tensor'],
    mustNotAppear: WGSL,
    maxBytes: 6700,
  },
  {
    name: 'one primitive',
    code: `export { quantizeAffine } from '@ao/quant-primitives'`,
    packages: ARITHMETIC,
    mustNotAppear: [...WGSL, 'Hqq', 'Tinygemm', 'Gguf'],
    maxBytes: 7300,
  },
  {
    name: 'one module',
    code: `export { Linear } from '@ao/nn'`,
    packages: ['base-tensor', 'nn'],
    mustNotAppear: [...WGSL, 'Conv2d', 'layerNorm'],
    maxBytes: 8450,
  },
  {
    name: 'int8 codes and their product',
    label: 'int8 codes, and `weightOnlyLinear`',
    code: INT8_CODES,
    packages: [...SHARED, 'int8'],
    mustNotAppear: [...WGSL, 'safetensors', 'Hqq', 'Tinygemm', 'Gguf', 'Int8Tensor'],
    maxBytes: 12000,
  },
  {
    name: 'int8 and linear',
    label: 'an int8 weight: quantized, and used by `linear`',
    code: INT8_LINEAR,
    packages: [...SHARED, 'int8'],
    mustNotAppear: [...WGSL, 'safetensors', 'Hqq', 'Tinygemm', 'Gguf'],
    maxBytes: 19500,
  },
  {
    name: 'int8 and linear on WebGPU',
    label: 'the same, with products on WebGPU',
    code: `${INT8_LINEAR}
import { int8LinearKernels } from '@ao/int8/webgpu'
import { WebGPUDevice } from '@ao/kernels-webgpu'
export const device = await WebGPUDevice.create({ kernels: [int8LinearKernels()] })
`,
    packages: [...SHARED, 'int8', 'kernels-webgpu'],
    mustNotAppear: ['safetensors', 'Hqq', 'Tinygemm', 'Gguf', 'qparamsInt4'],
    maxBytes: 43800,
  },
  {
    name: 'int8 on WebGPU, quantized there',
    label: 'the same, and quantized there, too',
    code: `${INT8_LINEAR}
import { webgpuKernels } from '@ao/int8/webgpu'
import { WebGPUDevice } from '@ao/kernels-webgpu'
export const device = await WebGPUDevice.create({ kernels: [webgpuKernels] })
`,
    packages: [...SHARED, 'int8', 'kernels-webgpu'],
    mustNotAppear: ['safetensors', 'Hqq', 'Tinygemm', 'Gguf', 'qparamsInt4'],
    maxBytes: 46200,
  },
  {
    name: 'quantize_ and one config',
    label: '`quantize_` and a config',
    code: `export { quantize_ } from '@ao/quantize'\nexport { Int8WeightOnlyConfig } from '@ao/int8'`,
    packages: [...SHARED, 'int8', 'nn', 'quantize'],
    mustNotAppear: [...WGSL, 'safetensors', 'Conv2d', 'Int8Dynamic'],
    maxBytes: 23600,
  },
  {
    name: 'int4 and linear',
    label: 'an int4 weight, and `linear`',
    code: `export { Int4Tensor } from '@ao/int4'\nexport { linear } from '@ao/base-tensor'`,
    packages: [...SHARED, 'int4'],
    mustNotAppear: [...WGSL, 'safetensors', 'Gguf'],
    maxBytes: 16000,
  },
  {
    name: 'views of grouped weights',
    code: `export { blockwiseViews } from '@ao/quantized-linear'`,
    packages: SHARED,
    mustNotAppear: WGSL,
    maxBytes: 6700,
  },
  {
    name: 'reading safetensors',
    label: '`openSafetensors`',
    code: `export { openSafetensors } from '@ao/safetensors'`,
    packages: ['base-tensor', 'safetensors'],
    mustNotAppear: WGSL,
    maxBytes: 8000,
  },
  {
    name: 'reading files of torch.save',
    label: '`openCheckpoint` with `torchFiles`',
    code: `export { openCheckpoint } from '@ao/safetensors'\nexport { torchFiles } from '@ao/torch-files'`,
    packages: ['base-tensor', 'safetensors', 'torch-files'],
    mustNotAppear: WGSL,
    maxBytes: 27600,
  },
  {
    name: 'a llama model',
    label: 'a Llama model, with its tokenizer',
    code: `export { LlamaForCausalLM, loadTokenizer } from '@ao/llama'`,
    packages: [
      ...['base-tensor', 'nn', 'safetensors', 'text-generation', 'causal-lm', 'llama'],
      '@huggingface/tokenizers',
    ],
    mustNotAppear: [...WGSL, 'Int8Tensor', 'gemma3_text'],
    maxBytes: 53000,
  },
  {
    name: 'a page that runs a quantized model',
    label: 'the page above: an int8 model from a URL, with its tokenizer',
    code: `
      import { Int8Tensor } from '@ao/int8'
      import { LlamaForCausalLM, loadTokenizer } from '@ao/llama'
      import { urlFolder } from '@ao/safetensors'
      export { Int8Tensor, LlamaForCausalLM, loadTokenizer, urlFolder }`,
    packages: [
      ...['base-tensor', 'granularity', 'int8', 'quant-primitives', 'quantized-linear'],
      ...['nn', 'safetensors', 'text-generation', 'causal-lm', 'llama'],
      '@huggingface/tokenizers',
    ],
    mustNotAppear: [...WGSL, 'gemma3_text'],
    maxBytes: 69000,
  },
  {
    name: 'a model of one family',
    label: 'a Qwen3 model, without its tokenizer',
    code: `export { AutoModelForCausalLM, qwen3 } from '@ao/causal-lm'`,
    packages: ['base-tensor', 'nn', 'safetensors', 'text-generation', 'causal-lm'],
    mustNotAppear: [...WGSL, 'Int8Tensor', 'gemma3_text', 'smollm3', 'tokenizers'],
    maxBytes: 39000,
  },
  {
    name: 'models of all families',
    label: 'models of all families, without their tokenizers',
    code: `export { AutoModelForCausalLM, allFamilies } from '@ao/causal-lm'`,
    packages: ['base-tensor', 'nn', 'safetensors', 'text-generation', 'causal-lm'],
    mustNotAppear: [...WGSL, 'Int8Tensor', 'tokenizers'],
    maxBytes: 45500,
  },
  {
    name: 'perplexity of any model',
    code: `export { perplexity } from '@ao/text-generation'`,
    packages: ['base-tensor', 'text-generation'],
    mustNotAppear: [...WGSL, 'tokenizers', 'safetensors'],
    maxBytes: 6300,
  },
  {
    name: 'float8',
    code: `export { Float8Tensor } from '@ao/float8'`,
    packages: [...SHARED, 'float8'],
    mustNotAppear: [...WGSL, 'safetensors', 'Gguf', 'Int4Tensor', 'Int8Tensor'],
    maxBytes: 17000,
  },
  {
    name: 'int4-plain-int32',
    code: `export { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'`,
    packages: [...SHARED, 'int4-plain-int32'],
    mustNotAppear: [...WGSL, 'safetensors', 'Gguf', 'Int4Tensor'],
    maxBytes: 18200,
  },
  {
    name: 'int4-tile-packed-to-4d',
    code: `export { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'`,
    packages: [...SHARED, 'int4-tile-packed-to-4d'],
    mustNotAppear: [...WGSL, 'safetensors', 'Gguf', 'Int4Tensor'],
    maxBytes: 18100,
  },
  {
    name: 'int4-preshuffled',
    code: `export { Int4PreshuffledTensor } from '@ao/int4-preshuffled'`,
    packages: [...SHARED, 'int4-preshuffled'],
    mustNotAppear: [...WGSL, 'Gguf', 'Int4PlainInt32Tensor'],
    maxBytes: 15400,
  },
  {
    name: 'intx',
    code: `export { IntxUnpackedToInt8Tensor } from '@ao/intx'`,
    packages: [...SHARED, 'intx'],
    mustNotAppear: [...WGSL, 'safetensors', 'Int8Dynamic'],
    maxBytes: 20000,
  },
  {
    name: 'uintx',
    code: `export { UIntxBitPackedTensor } from '@ao/uintx'`,
    packages: [...SHARED, 'uintx'],
    mustNotAppear: [...WGSL, 'safetensors', 'WeightOnlyConfig'],
    maxBytes: 22500,
  },
  {
    name: 'codes for ONNX Runtime',
    code: `export { toMatMulNBits } from '@ao/interop'`,
    packages: [...SHARED, 'interop', 'pbf'],
    mustNotAppear: [...WGSL, 'safetensors', 'Int4Tensor'],
    maxBytes: 7550,
  },
  {
    name: 'measures of the test kit',
    code: `export { sqnr, normalNumbers } from '@ao/test-kit'`,
    packages: ['test-kit'],
    mustNotAppear: [...WGSL, 'describe', 'fast-check'],
    maxBytes: 640,
  },
]

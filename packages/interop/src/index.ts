export type { GroupedInt8Codes } from './codes.ts'
export { fromQ4_0, fromQ8_0, toGgufFloat, toQ4_0, toQ8_0, type GgufTensor } from './gguf-blocks.ts'
export { writeGguf, type GgufFile, type GgufNumberType, type GgufValue } from './gguf-file.ts'
export {
  fromMatMulNBits,
  fromMatMulNBits8,
  toMatMulNBits,
  toMatMulNBits8,
  type Int4MatMulNBitsOptions,
  type MatMulNBits,
  type MatMulNBitsAttributes,
  type MatMulNBitsOptions,
} from './matmul-nbits.ts'
export { fromMlcQ4f16, toMlcQ4f16, type MlcQ4f16 } from './mlc.ts'
export { onnxMatMulNBitsModel } from './onnx-model.ts'
export type { Converted, RoundingOptions } from './rounding.ts'

export { TernaryWeightOnlyConfig, type TernaryOptions } from './config.ts'
export { dequantizeTernary, ternaryLinear } from './linear.ts'
export { quantizeTernary, type TernaryWeight } from './quantize.ts'
export { TernaryTensor, type TernaryFields, type TernaryFromHpOptions } from './tensor.ts'

export { TernaryWeightOnlyConfig, type TernaryOptions } from './config.ts'
export type { TernaryFields } from './layout.ts'
export { dequantizeTernary, quantizeTernary, ternaryLinear, type TernaryWeight } from './ops.ts'
export { TernaryTensor } from './tensor.ts'

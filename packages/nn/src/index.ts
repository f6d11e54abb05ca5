export { gelu, geluTanh, relu, silu } from './activations.ts'
export {
  Embedding,
  GELU,
  LayerNorm,
  Linear,
  ReLU,
  RMSNorm,
  Sequential,
  SiLU,
  type Layer,
} from './layers.ts'
export { isModule, Module, type LoadReport } from './module.ts'
export { layerNorm, rmsNorm, softmax } from './norms.ts'

export { gelu, geluTanh, relu, silu } from './activations.ts'
export { Conv2d, conv2d, type Conv2dOptions, type Pair } from './conv2d.ts'
export {
  hasForwardHooks,
  type ForwardHook,
  type ForwardPreHook,
  type RemovableHandle,
} from './forward-hooks.ts'
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
export { getModelSizeInBytes, type ModelSizeOptions } from './model-size.ts'
export { isModule, Module, type LoadReport } from './module.ts'
export { layerNorm, rmsNorm, softmax, type RMSNormOptions } from './norms.ts'
export { ChannelsLastLinear, swapConv2d1x1ToLinear } from './swap-conv2d.ts'

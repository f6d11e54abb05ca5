import type { DenseTensor, Tensor } from '@ao/base-tensor'
import type { GPU } from '@ao/kernels-webgpu'
import { roundToFloat8, type Float8Rule } from './float8-kernels.ts'

const RULE: Float8Rule = {
  float8Dtype: 'float8_e4m3fn',
  scaleRounding: 'float32',
  hpValueLb: 1 / 512,
}

/** `x` in float32, its rows rounded to float8_e4m3fn with a scale of `max(|x|, 1 / 512) / 448` each. */
export function roundRowsToFloat8(gpu: GPU, x: Tensor): DenseTensor {
  return roundToFloat8(gpu, x, x.shape.at(-1) as number, RULE)
}

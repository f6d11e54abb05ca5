/**
 * @file What a quantization config is.
 *
 * A config is a frozen value that carries its behaviour. Code that applies configs, such as
 * `quantize_`, asks it to transform a weight and never looks into a table of configs.
 */

import { takes } from './takes.ts'
import { isFloatDType } from './dtype.ts'
import type { Json } from './json-codec.ts'
import type { Tensor } from './tensor.ts'
import type { TensorSubclassType } from './tensor-subclass.ts'

/** Where a tensor stands in its model. */
export interface QuantizeContext {
  /** The parameter's full name, such as `model.layers.0.mlp.up_proj.weight`. */
  readonly name: string
  /** Whether to quantize a weight with NaN or infinities, instead of refusing it. */
  readonly allowNonFinite?: boolean | undefined
}

/** How weights are quantized: what `quantize_` applies to a model. */
export interface QuantizationConfig {
  /** torchao's class name, such as `Int8WeightOnlyConfig`: `_type` in JSON. */
  readonly configName: string
  /**
   * The quantized weight, or {@link Skipped} with the reason why this one stays as it is.
   *
   * @remarks Also called with tensors of the `meta` device, to plan shapes and sizes.
   */
  quantizeTensor(weight: Tensor, context: QuantizeContext): Tensor | Skipped
  /** The form of torchao's `config_to_dict`. */
  toJSON(): Json
}

/** The static side of a config class: what reading config JSON needs. */
export interface QuantizationConfigType {
  readonly configName: string
  /** torchao's version of the config whose JSON this class writes. */
  readonly configVersion: number
  /**
   * A config from the `_data` of its JSON.
   *
   * @throws {@link FormatError} naming `path` and what is wrong there
   */
  fromJSON(data: Json, context: ConfigJsonContext): QuantizationConfig
}

/** What config JSON may refer to, and where it stands. */
export interface ConfigJsonContext {
  readonly path: string
  /** Configs that may be nested in this one. */
  readonly configs: readonly QuantizationConfigType[]
  /** Formats that a packing format in JSON may name. */
  readonly formats: readonly TensorSubclassType[]
}

/** A weight that a config leaves as it is, and why. */
export interface Skipped {
  readonly skipped: string
}

/**
 * What a config gives for a weight that it leaves as it is.
 *
 * @param reason - a clause such as `in_features 100 is not a multiple of the group size 32`
 */
export function skip(reason: string): Skipped {
  takes('x', reason)
  return { skipped: reason }
}

/** Whether a config left a weight as it is. */
export function isSkipped(result: Tensor | Skipped): result is Skipped {
  return 'skipped' in Object(result)
}

/**
 * Why no config quantizes `weight`: it is quantized already, not floating, empty, or neither (N, K) nor
 * experts (E, N, K). Undefined where nothing of that is so.
 */
export function skipUnlessWeight(weight: Tensor): Skipped | undefined {
  takes('t', weight)
  const { dtype, ndim, numel } = weight
  if (weight.dispatchOp) return skip('it is quantized already')
  if (!isFloatDType(dtype)) return skip(`its dtype ${dtype} is not floating`)
  const shape = `[${weight.shape.join(', ')}]`
  if (ndim !== 2 && ndim !== 3) return skip(`its shape ${shape} is not (N, K) or (E, N, K)`)
  return numel === 0 ? skip(`its shape ${shape} has no elements`) : undefined
}

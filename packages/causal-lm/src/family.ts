/** @file What a family of models is: data, and the modules that are its own. */

import type { Tensor } from '@ao/base-tensor'
import type { Module } from '@ao/nn'
import type { ConfigFields, FieldRules, KVCache, TensorSource } from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'
import type { BranchModule, MakeParameter } from './module.ts'

/** A module of a layer, and the norms around it: `x + after(module(before(x)))`. */
export interface Branch {
  /** The module's name in checkpoints. */
  readonly name: string
  readonly module: BranchModule
  /** The name of the norm before it, where there is one. */
  readonly before?: string
  /** The name of the norm after it, where there is one. */
  readonly after?: string
}

/** What checkpoints call the parts of a model around its layers. */
export interface ModelNames {
  /** All but the output head. */
  readonly model: string
  readonly embedding: string
  readonly layers: string
  /** The norm after all layers. */
  readonly norm: string
}

/** A norm over the last dimension. */
export interface Norm extends Module {
  forward(input: Tensor): Tensor
}

/** A family of models: how their config.json is read, and what differs from Llama in their modules. */
export interface CausalLMFamily {
  /** `model_type` of its configs. */
  readonly modelTypes: readonly string[]
  /** `architectures` that it computes. */
  readonly architectures: readonly string[]
  /** Reads config.json. */
  readonly parse: (fields: ConfigFields) => CausalLMConfig
  /** Fields that `parse` does not read, besides those that all families may have. */
  readonly fields?: Partial<FieldRules<CausalLMConfig>>
  /** Llama's unless given. */
  readonly names?: Partial<ModelNames>
  /** The branches of a layer, in the order in which they are added; Llama's unless given. */
  readonly branches?: (
    config: CausalLMConfig,
    layer: number,
    make: MakeParameter,
  ) => readonly Branch[]
  /** Every norm of the residual stream; an RMSNorm unless given. */
  readonly norm?: (config: CausalLMConfig, make: MakeParameter) => Norm
  /** Modules of the model beside its embedding and layers, by name. */
  readonly extras?: (
    config: CausalLMConfig,
    make: MakeParameter,
  ) => Readonly<Record<string, Module>>
  /** What the layers begin with, made of the tokens' embeddings; as they are unless given. */
  readonly embed?: (embedded: Tensor, model: Module, cache: KVCache) => Tensor
  /** Where a parameter is stored, if not under its own name; the first that is there is taken. */
  readonly sources?: (parameter: string, config: CausalLMConfig) => readonly TensorSource[]
  /** Names of tensors of other parts of a checkpoint, which are not used. */
  readonly unused?: RegExp
}

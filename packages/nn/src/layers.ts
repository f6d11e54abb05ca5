/** @file The layers of language models. Each is made from its parameters, which it keeps. */

import { embedding, linear, ShapeError, type Tensor, takes } from '@ao/base-tensor'
import { gelu, geluTanh, relu, silu } from './activations.ts'
import { Module } from './module.ts'
import { layerNorm, rmsNorm, type RMSNormOptions } from './norms.ts'

const PACKAGE = '@ao/nn'

/** What {@link Sequential} can hold: one tensor in, one tensor out. */
export interface Layer extends Module {
  forward(input: Tensor): Tensor
}

/** `input @ weight^T + bias`: (..., K) -> (..., N). PyTorch's `nn.Linear`. */
export class Linear extends Module {
  /** (N, K): outputs by inputs; dense, or any format that has the `linear` op. */
  weight: Tensor
  /** (N) */
  bias: Tensor | undefined

  constructor(weight: Tensor, bias?: Tensor) {
    takes('tt?', weight, bias)
    super()
    checkRank('Linear', weight, 2)
    this.weight = weight
    this.bias = bias
  }

  get inFeatures(): number {
    return this.weight.shape[1] as number
  }

  get outFeatures(): number {
    return this.weight.shape[0] as number
  }

  forward(input: Tensor): Tensor {
    takes('t', input)
    return linear(input, this.weight, this.bias)
  }

  override extraRepr(): string {
    return `in=${this.inFeatures}, out=${this.outFeatures}, bias=${this.bias !== undefined}`
  }
}

/** Rows of a table by id: (...) of integers -> (..., H). PyTorch's `nn.Embedding`. */
export class Embedding extends Module {
  /** (V, H): one row for each id. */
  weight: Tensor

  constructor(weight: Tensor) {
    takes('t', weight)
    super()
    checkRank('Embedding', weight, 2)
    this.weight = weight
  }

  get numEmbeddings(): number {
    return this.weight.shape[0] as number
  }

  forward(ids: Tensor): Tensor {
    takes('t', ids)
    return embedding(ids, this.weight)
  }

  override extraRepr(): string {
    return this.weight.shape.join(', ')
  }
}

/** See {@link rmsNorm}. Llama's `LlamaRMSNorm`. */
export class RMSNorm extends Module {
  /** (H) */
  weight: Tensor
  readonly eps: number
  /** See {@link RMSNormOptions.weightOffset}. */
  readonly weightOffset: number | undefined

  constructor(weight: Tensor, eps = 1e-6, options: RMSNormOptions = {}) {
    takes('tn?o', weight, eps, options)
    super()
    this.weight = weight
    this.eps = eps
    this.weightOffset = options.weightOffset
  }

  forward(input: Tensor): Tensor {
    takes('t', input)
    return rmsNorm(input, this.weight, this.eps, this)
  }

  override extraRepr(): string {
    const offset = this.weightOffset === undefined ? '' : `, weightOffset=${this.weightOffset}`
    return `[${this.weight.shape.join(', ')}], eps=${this.eps.toExponential()}${offset}`
  }
}

/** See {@link layerNorm}. PyTorch's `nn.LayerNorm`. */
export class LayerNorm extends Module {
  /** (H) */
  weight: Tensor
  /** (H) */
  bias: Tensor | undefined
  readonly eps: number

  constructor(weight: Tensor, bias?: Tensor, eps = 1e-5) {
    takes('tt?n?', weight, bias, eps)
    super()
    this.weight = weight
    this.bias = bias
    this.eps = eps
  }

  forward(input: Tensor): Tensor {
    takes('t', input)
    return layerNorm(input, this.weight.shape, this.weight, this.bias, this.eps)
  }

  override extraRepr(): string {
    return `[${this.weight.shape.join(', ')}], eps=${this.eps.toExponential()}, bias=${this.bias !== undefined}`
  }
}

/** Layers one after the other, as children `0`, `1`, ... PyTorch's `nn.Sequential`. */
export class Sequential extends Module {
  [index: number]: Layer

  constructor(...layers: Layer[]) {
    super()
    for (const layer of layers) takes('o<forward:f>', layer)
    Object.assign(this, layers)
  }

  forward(input: Tensor): Tensor {
    takes('t', input)
    return this.namedChildren().reduce((x, [, layer]) => (layer as Layer).forward(x), input)
  }
}

/** See {@link relu}. */
export class ReLU extends Module {
  forward(input: Tensor): Tensor {
    takes('t', input)
    return relu(input)
  }
}

/** See {@link silu}. */
export class SiLU extends Module {
  forward(input: Tensor): Tensor {
    takes('t', input)
    return silu(input)
  }
}

/** See {@link gelu}. PyTorch's `nn.GELU`. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh'

  constructor(approximate: 'none' | 'tanh' = 'none') {
    takes('x?', approximate)
    super()
    this.approximate = approximate
  }

  forward(input: Tensor): Tensor {
    takes('t', input)
    return this.approximate === 'tanh' ? geluTanh(input) : gelu(input)
  }

  override extraRepr(): string {
    return `approximate=${this.approximate}`
  }
}

function checkRank(layer: string, weight: Tensor, rank: number): void {
  if (weight.ndim === rank) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `a weight of ${rank} dimensions for ${layer}`,
    got: `[${weight.shape.join(', ')}]`,
  })
}

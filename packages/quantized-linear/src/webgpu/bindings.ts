/** @file What programs bind, and the defines that tell them. */

import { itemSize, type DenseTensor, type FloatDType, type Tensor } from '@ao/base-tensor'
import type { Defines, GPU, TensorRange } from '@ao/kernels-webgpu'
import type { RowRange } from './row-ranges.ts'

/** Tensors by the names that WGSL has for them, in the order of their bindings. */
export class Bindings {
  readonly #gpu: GPU
  readonly #names: string[] = []
  readonly #tensors: DenseTensor[] = []

  constructor(gpu: GPU, tensors: Readonly<Record<string, Tensor | undefined>> = {}) {
    this.#gpu = gpu
    for (const name in tensors) this.add(name, tensors[name])
  }

  /** Adds a tensor; `undefined` leaves its define out. */
  add(name: string, tensor: Tensor | undefined): this {
    if (!tensor) return this
    this.#names.push(name)
    this.#tensors.push(this.#gpu.dense(tensor))
    return this
  }

  /** The binding of a name. */
  at(name: string): number {
    return this.#names.indexOf(name)
  }

  get(name: string): DenseTensor {
    return this.#tensors[this.at(name)] as DenseTensor
  }

  /** Equal for tensors whose defines are. */
  get key(): string {
    return this.#tensors.map(({ dtype }, i) => `${this.#names[i]} ${dtype}`).join()
  }

  /** Of each tensor: that it is there, its binding, dtype and size, and whether it is read by fours. */
  get defines(): Defines {
    const entries = this.#tensors.flatMap(({ dtype, shape }, i) => {
      const name = this.#names[i] as string
      return [
        [name, true],
        [`${name}_BINDING`, i],
        [`${name}_DTYPE`, dtype],
        [`${name}_SIZE`, itemSize(dtype)],
        [`${name}_FOURS`, (shape.at(-1) ?? 0) % 4 === 0],
      ] as const
    })
    return Object.fromEntries(entries)
  }

  /** What to bind: of some tensors, ranges of their rows. */
  bind(ranges: Readonly<Record<string, RowRange>> = {}): (DenseTensor | TensorRange)[] {
    return this.#tensors.map((tensor, i) => {
      const range = ranges[this.#names[i] as string]
      return range
        ? { tensor, offset: range.first * range.bytes, size: range.rows * range.bytes }
        : tensor
    })
  }
}

/** The defines of an output `y`. */
export function outputDefines(bindings: Bindings): Defines {
  const dtype = bindings.get('y').dtype as FloatDType
  return { Y_BINDING: bindings.at('y'), Y_DTYPE: dtype, Y_BITS: BITS[dtype] }
}

const BITS = { float32: '', float16: 'f16_bits', bfloat16: 'bf16_bits' } as const

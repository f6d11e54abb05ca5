/** @file What every format's class has, and the options that mean the same in all of them. */

import type { Tensor, TensorSubclass, TensorSubclassType } from '@ao/base-tensor'
import type { Granularity } from '@ao/granularity'

/** Options of `fromHp` that every format has. */
export interface FromHpOptions {
  /** Which elements share a scale, such as PerRow() or PerGroup(32). */
  readonly granularity?: Granularity | undefined
  /** Whether to take a weight with NaN or infinities; false unless given. */
  readonly allowNonFinite?: boolean | undefined
}

/**
 * The class of a format: the four lists of names, codecs and ops of {@link TensorSubclassType}, tensors that
 * dequantize, and how a dense weight becomes one of them. `SomeTensor satisfies FormatClass<SomeTensor>` holds a
 * class to it; `testFormat` of `@ao/test-kit` does so when it runs.
 *
 * @typeParam Options - what `fromHp` takes: nothing in it is required
 */
export interface FormatClass<
  T extends TensorSubclass = TensorSubclass,
  Options extends FromHpOptions = FromHpOptions,
> extends TensorSubclassType<T> {
  /** Quantizes a dense weight, (N, K) or (E, N, K). */
  fromHp(weight: Tensor, options?: Options): T
}

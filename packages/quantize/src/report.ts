/** @file What was quantized, and what was not and why. */

/** A weight that was replaced. */
export interface QuantizedWeight {
  /** The parameter's full name. */
  readonly name: string
  /** Bytes of the weight as it was. */
  readonly before: number
  /** Bytes of the quantized weight, scales and zero points included. */
  readonly after: number
  /** The quantized tensor's class, such as `Int8Tensor`. */
  readonly format: string
}

/** A parameter that was left as it is. */
export interface SkippedWeight {
  /** The parameter's full name. */
  readonly name: string
  /** A clause such as `in_features 100 is not a multiple of the group size 32`. */
  readonly reason: string
}

/** What became of each weight. */
export interface QuantizeReport {
  /** Weights that were replaced; one that is shared comes under each name that was selected. */
  readonly quantized: readonly QuantizedWeight[]
  readonly skipped: readonly SkippedWeight[]
  /** Keys of an {@link FqnToConfig} that decided about no parameter: look for slips of the pen. */
  readonly unusedKeys: readonly string[]
}

/** Told after each weight, quantized or skipped by its config. */
export interface QuantizeProgress {
  readonly name: string
  /** Weights dealt with so far, this one included, out of `total`. */
  readonly done: number
  readonly total: number
}

/** Called after each weight, and awaited. */
export type OnProgress = (progress: QuantizeProgress) => void | Promise<void>

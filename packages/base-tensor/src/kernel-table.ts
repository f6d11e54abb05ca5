/**
 * @file Kernels of a device: for each op a table of variants, best first. The first one that fits the
 * arguments and the device runs; an explanation says which it is, and why.
 *
 * `Context` is what kernels may use of their device: a GPU, the memory of a WASM module.
 */

import { errorsOf, MissingKernelError } from './errors.ts'
import { takes } from './takes.ts'
import type { AnyOp, Op } from './tensor.ts'

/** One way to run an op. */
export interface KernelVariant<Context, Args extends readonly unknown[], Result> {
  /** What it is: `gemv, subgroups`. */
  readonly name: string
  /** Whether it can run these arguments; always unless given. */
  readonly fits?: (context: Context, ...args: Args) => boolean
  /** When it is chosen, in the words that explanations show: `one row, on GPUs with subgroups`. */
  readonly when: string
  readonly run: (context: Context, ...args: Args) => Result
}

/** How one op runs on a kind of device. */
export interface OpKernel<Context> {
  readonly op: { readonly opName: string }
  readonly variants: readonly KernelVariant<Context, never, unknown>[]
}

/** How one call would run. */
export interface Explanation {
  readonly op: string
  /** Name of the variant that runs. */
  readonly variant: string
  readonly when: string
  /** Better variants that do not fit. */
  readonly refused: readonly { readonly variant: string; readonly when: string }[]
}

/** The kernels that a device was given. A later kernel of an op takes the place of an earlier one. */
export class KernelTable<Context> {
  readonly #package: string
  readonly #kernels: ReadonlyMap<string, OpKernel<Context>>
  #explanations: Explanation[] | undefined

  /** @param packageName - of the device, for messages */
  constructor(packageName: string, kernels: readonly OpKernel<Context>[]) {
    takes('xl', packageName, kernels)
    this.#package = packageName
    this.#kernels = new Map(kernels.map((kernel) => [kernel.op.opName, kernel]))
  }

  has({ opName }: Pick<AnyOp, 'opName'>): boolean {
    return this.#kernels.has(opName)
  }

  /**
   * Runs an op that the table {@link KernelTable.has} by its first variant that fits.
   *
   * @throws {@link MissingKernelError} naming all variants where none does
   */
  run<Args extends readonly unknown[], Result>(
    context: Context,
    op: Op<Args, Result>,
    args: Args,
  ): Result {
    const { opName } = op
    const kernel = this.#kernels.get(opName) as OpKernel<Context> | undefined
    const variants = (kernel?.variants ?? []) as readonly KernelVariant<Context, Args, Result>[]
    const at = variants.findIndex(({ fits }) => !fits || fits(context, ...args))
    const variant = variants[at]
    if (!variant) {
      const takes = variants.map(({ name, when }) => `${name} (${when})`).join(', ')
      throw errorsOf(this.#package)(
        MissingKernelError,
        `arguments that a kernel of ${opName} takes: ${takes}`,
        'others',
        'Run it on the CPU: await tensor.to(cpu).',
      )
    }
    const refused = variants.slice(0, at).map(({ name, when }) => ({ variant: name, when }))
    this.#explanations?.push({ op: opName, variant: variant.name, when: variant.when, refused })
    return variant.run(context, ...args)
  }

  /** What ran while `run` did: one entry for each op that a kernel ran, in order. */
  explain(run: () => void): Explanation[] {
    const explanations: Explanation[] = []
    const outer = this.#explanations
    this.#explanations = explanations
    try {
      run()
    } finally {
      this.#explanations = outer
    }
    return explanations
  }
}

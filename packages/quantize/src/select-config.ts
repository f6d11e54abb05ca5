/** @file Which config a parameter takes, or why it takes none. */

import {
  isFloatDType,
  isTensorSubclass,
  skip,
  ValueError,
  type QuantizationConfig,
  type Skipped,
  type Tensor,
  type TensorSubclassType,
} from '@ao/base-tensor'
import { isFqnToConfig, type FqnToConfig } from './fqn-to-config.ts'
import type { Refusal } from './refusal.ts'

const PACKAGE = '@ao/quantize'

/** Asks one config about parameter after parameter, and remembers which of its keys decided. */
export class ConfigSelector {
  readonly #config: QuantizationConfig
  readonly #unusedKeys: Set<string>

  /** @throws {@link ValueError} for what is no config, and for a filter beside an FqnToConfig */
  constructor(config: QuantizationConfig, filter: unknown) {
    checkConfig(config, filter)
    this.#config = config
    this.#unusedKeys = new Set(isFqnToConfig(config) ? Object.keys(config.fqnToConfig) : [])
  }

  /** Keys that have decided about no parameter so far. */
  get unusedKeys(): string[] {
    return [...this.#unusedKeys]
  }

  /**
   * @param name - the parameter's full name
   * @param refusal - why a config that names nothing leaves it alone, such as a filter's no; undefined
   * where it does not
   */
  select(
    name: string,
    weight: Tensor,
    refusal: Refusal | undefined,
  ): { readonly config: QuantizationConfig } | Skipped {
    const config = this.#config
    const selected = isFqnToConfig(config)
      ? this.#byName(config, name, weight, refusal)
      : refusal === undefined
        ? { config }
        : skip(refusal.reason)
    if ('skipped' in selected) return selected
    if (isTensorSubclass(weight)) return skip(`it is quantized already, as ${formatOf(weight)}`)
    return isFloatDType(weight.dtype) ? selected : skip(`its dtype is ${weight.dtype}`)
  }

  #byName(
    config: FqnToConfig,
    name: string,
    weight: Tensor,
    refusal: Refusal | undefined,
  ): { readonly config: QuantizationConfig } | Skipped {
    const match = config.match(name, refusal === undefined)
    if (!match) return skip(refusal?.reason ?? 'no key of FqnToConfig matches')
    this.#unusedKeys.delete(match.key)
    if (!match.config) return skip(`FqnToConfig has null for '${match.key}'`)
    if (refusal?.isFinal === true) return skip(refusal.reason)
    // `re:model\..*` reaches norms too, whose weights no op takes quantized.
    if (weight.ndim < 2 && !match.spellsParameter) {
      return skip(
        `its shape is [${weight.shape.join(', ')}]; only a key with its own name reaches it`,
      )
    }
    return { config: match.config }
  }
}

/** The class of a quantized tensor, such as `Int8Tensor`. */
export function formatOf(tensor: Tensor): string {
  return isTensorSubclass(tensor)
    ? (tensor.constructor as unknown as TensorSubclassType).formatName
    : `dense ${tensor.dtype}`
}

// Plain JavaScript passes anything.
function checkConfig(config: QuantizationConfig, filter: unknown): void {
  if (typeof (config as Partial<QuantizationConfig> | null)?.quantizeTensor !== 'function') {
    throw new ValueError({
      package: PACKAGE,
      expected: 'a config, such as new Int8WeightOnlyConfig()',
      got: typeof config,
    })
  }
  if (isFqnToConfig(config) && filter) {
    throw new ValueError({
      package: PACKAGE,
      expected: 'no filter beside FqnToConfig, whose keys say what is quantized',
      got: 'both',
      cure: 'Leave the filter out, and give null to the keys of what shall stay as it is.',
    })
  }
}

/** @file Configs alone, and with what transformers says beside them. */

import { ValueError, type QuantizationConfig } from '@ao/base-tensor'
import { fail } from './errors.ts'
import type { TorchAoConfig } from './torchao-config.ts'

/** A config, or all that transformers says of a quantized model. */
export type ConfigOrTorchAo = QuantizationConfig | TorchAoConfig

/**
 * The second of the two; undefined for a config.
 *
 * @throws {@link ValueError} for a filter beside it
 */
export function torchAoConfigOf(
  given: ConfigOrTorchAo,
  filter: unknown,
): TorchAoConfig | undefined {
  const isWhole = typeof given === 'object' && given !== null && 'refusalsIn' in given
  if (!isWhole) return undefined
  if (!filter) return given
  const cure = 'Leave the filter out: modulesToNotConvert says what stays.'
  throw fail(ValueError, 'no filter beside a TorchAoConfig', 'both', cure)
}

/** @file quantize_: a config applied to a model's modules. */

import { takes } from '@ao/base-tensor'
import type { Device, QuantizationConfig, Tensor } from '@ao/base-tensor'
import type { Module } from '@ao/nn'
import { isLinearShaped, NOT_LINEAR, type LinearLike } from './module-kinds.ts'
import { quantizeCandidates, type ApplyOptions, type Candidate } from './jobs.ts'
import type { QuantizeReport } from './report.ts'
import type { Refusal } from './refusal.ts'
import { StorageUses } from './storage-uses.ts'
import { torchAoConfigOf, type ConfigOrTorchAo } from './torchao-config-of.ts'

/** Whether to quantize the weight of `module`, whose full name is `fqn` (`''` for the model itself). */
export type ModuleFilter = (module: Module, fqn: string) => boolean

/** Options of {@link quantize_}. */
export interface QuantizeOptions extends ApplyOptions {
  /** {@link isLinear} unless given; asked about each module that has a parameter `weight`. */
  readonly filter?: ModuleFilter | null | undefined
  /** Where the model goes: each weight once it is quantized, the other parameters at the end. */
  readonly device?: Device | undefined
}

/**
 * Quantizes a model's weights in place. torchao's `quantize_`.
 *
 * Weights are replaced one by one, with a turn for the event loop after each, and none that is quantized
 * already is touched. One that several layers share is quantized once and stays shared by those that were
 * selected; others, such as an embedding that is tied to a linear layer, keep the float weight. Weights
 * are quantized on the device that they are on; the memory of a GPU's is freed when no parameter uses it
 * any more.
 *
 * With a {@link TorchAoConfig}, those modules are quantized that transformers quantizes.
 *
 * @returns what was quantized, and why the other parameters were not
 * @throws {@link ValueError} for a weight with NaN or infinite elements and for one that its config
 * refuses, naming it (weights before it are quantized by then), and for a filter beside an
 * {@link FqnToConfig}
 */
export async function quantize_(
  model: Module,
  config: ConfigOrTorchAo,
  options: QuantizeOptions = {},
): Promise<QuantizeReport> {
  takes(
    'o<namedChildren:f namedModules:f>.o{filter device allowNonFinite allowUnusedKeys onProgress}?',
    model,
    config,
    options,
  )
  const torchAo = torchAoConfigOf(config, options.filter)
  const refusalOf = torchAo?.refusalsIn(model)
  const candidates: Candidate[] = []
  const uses = new StorageUses()
  for (const [fqn, module] of model.namedModules()) {
    const refusal = refusalOf ? refusalOf(module, fqn) : moduleRefusal(module, fqn, options.filter)
    for (const [ownName, parameter] of module.ownParameters()) {
      uses.add(parameter)
      candidates.push({
        name: nameOf(fqn, ownName),
        refusal: ownName === 'weight' ? refusal : refuse('it is not a weight'),
        read: () => ownParameter(module, ownName),
        replace: (quantized) => {
          const weight = ownParameter(module, ownName)
          module.setParameter(ownName, quantized)
          uses.add(quantized)
          uses.drop(weight)
        },
      })
    }
  }
  const applied = torchAo?.config ?? (config as QuantizationConfig)
  const report = await quantizeCandidates(candidates, applied, options)
  if (options.device) await model.to(options.device)
  return report
}

function nameOf(fqn: string, ownName: string): string {
  return fqn === '' ? ownName : `${fqn}.${ownName}`
}

function ownParameter(module: Module, name: string): Tensor {
  return (module as unknown as Record<string, Tensor>)[name] as Tensor
}

/**
 * Whether a module is a linear layer with a weight that is not quantized yet: it has `inFeatures`,
 * `outFeatures` and a weight of that shape. torchao's `_is_linear`.
 */
export function isLinear(module: Module): boolean {
  takes('o<namedChildren:f namedModules:f>', module)
  return isLinearShaped(module) && !(module as LinearLike).weight?.dispatchOp
}

function moduleRefusal(
  module: Module,
  fqn: string,
  filter: ModuleFilter | null | undefined,
): Refusal | undefined {
  if (!('weight' in module)) return undefined
  // A quantized weight is no reason to call a layer not linear: it gets its own reason later.
  if (!filter) return isLinearShaped(module) ? undefined : refuse(NOT_LINEAR)
  return filter(module, fqn) ? undefined : refuse('the filter left it out')
}

function refuse(reason: string): Refusal {
  return { reason, isFinal: false }
}

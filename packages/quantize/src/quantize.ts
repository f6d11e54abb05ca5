/** @file quantize_: a config applied to a model's modules. */

import { takes } from '@ao/base-tensor'
import type { Device, QuantizationConfig, Tensor } from '@ao/base-tensor'
import type { Module } from '@ao/nn'
import { convertedRoles, quantizationOf, type ConfigOrQuantization } from './converted-modules.ts'
import type { HuggingFaceQuantization } from './hugging-face.ts'
import { quantizeCandidates, type ApplyOptions, type Candidate } from './jobs.ts'
import { isUntied, refusals } from './quantize-state-dict.ts'
import type { QuantizeReport } from './report.ts'
import { roleByName } from './roles/name-rules.ts'
import {
  KEPT_REASONS,
  type RoleDecision,
  type ShapedTensor,
  type TensorRole,
  type TensorRoles,
} from './roles/role.ts'
import type { Refusal } from './select-config.ts'
import { StorageUses } from './storage-uses.ts'

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
 * With the whole `quantization_config` of a Hugging Face model, as {@link readQuantizationConfig} gives it,
 * those modules are quantized that transformers quantizes: see {@link convertedRoles}.
 *
 * @returns what was quantized, and why the other parameters were not
 * @throws {@link ValueError} for a weight with NaN or infinite elements and for one that its config
 * refuses, naming it (weights before it are quantized by then), and for a filter beside an
 * {@link FqnToConfig}
 */
export async function quantize_(
  model: Module,
  config: ConfigOrQuantization,
  options: QuantizeOptions = {},
): Promise<QuantizeReport> {
  takes(
    'o<namedChildren:f namedModules:f>.o{filter device allowNonFinite allowUnusedKeys onProgress}?',
    model,
    config,
    options,
  )
  const quantization = quantizationOf(config, options.filter)
  const roles = quantization && rolesIn(model, quantization)
  const candidates: Candidate[] = []
  const uses = new StorageUses()
  for (const [fqn, module] of model.namedModules()) {
    const refusal =
      roles && 'weight' in module
        ? refusals({ roles })(nameOf(fqn, 'weight'), ownParameter(module, 'weight'))
        : moduleRefusal(module, fqn, options.filter)
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
  const applied = quantization?.config ?? (config as QuantizationConfig)
  const report = await quantizeCandidates(candidates, applied, options)
  if (options.device) await model.to(options.device)
  return report
}

/** A model whose output head may have no weight but its embedding's. */
interface TiedModel {
  readonly hasTiedHead: boolean
  untieHead(): void
}

/** What the weights of a model's modules are where transformers quantizes it; the head is untied by then. */
function rolesIn(model: Module, quantization: HuggingFaceQuantization): TensorRoles {
  const { hasTiedHead: isTied = false } = model as Partial<TiedModel>
  const modules = new Map(model.namedModules())
  const roles = convertedRoles(quantization, (...weight) => roleOf(modules, ...weight), isTied)
  const embedding = [...modules].find(([, module]) => isEmbedding(module))
  if (isTied && embedding) {
    const [fqn, module] = embedding
    if (isUntied([nameOf(fqn, 'weight'), ownParameter(module, 'weight')], quantization, roles)) {
      ;(model as Partial<TiedModel>).untieHead?.()
      for (const [name, module] of model.namedModules()) modules.set(name, module)
    }
  }
  return roles
}

/** What a weight is, by its module; only that a linear layer is the output head, its name tells. */
function roleOf(
  modules: ReadonlyMap<string, Module>,
  name: string,
  weight: ShapedTensor,
): RoleDecision {
  const module = modules.get(name.replace(/\.?weight$/, ''))
  if (module && isEmbedding(module)) return byModule('embedding', KEPT_REASONS.embedding)
  if (!module || !isLinearShaped(module)) return byModule('other', NOT_LINEAR)
  const isHead = roleByName(name, weight) === 'output head'
  return isHead ? byModule('output head', KEPT_REASONS['output head']) : byModule('linear')
}

function byModule(role: TensorRole, reason?: string): RoleDecision {
  return { role, rule: 'its module', reason }
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

interface LinearLike {
  readonly weight?: Tensor
  readonly inFeatures?: number
  readonly outFeatures?: number
}

const NOT_LINEAR = 'its module is not a linear layer'

function isLinearShaped(module: Module): boolean {
  const { weight, inFeatures, outFeatures } = module as LinearLike
  return weight?.ndim === 2 && weight.shape[0] === outFeatures && weight.shape[1] === inFeatures
}

function isEmbedding(module: Module): boolean {
  const { weight, numEmbeddings } = module as { weight?: Tensor; numEmbeddings?: number }
  return weight?.ndim === 2 && weight.shape[0] === numEmbeddings
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

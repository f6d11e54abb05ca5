/** @file Which modules transformers quantizes: what a `quantization_config` says beside its config. */

import {
  isFloatDType,
  takes,
  type DType,
  type QuantizationConfig,
  type Tensor,
} from '@ao/base-tensor'
import type { Module } from '@ao/nn'
import { isFqnToConfig } from './fqn-to-config.ts'
import { isLinearShaped, NOT_LINEAR } from './module-kinds.ts'
import { fullMatchPattern } from './python-pattern.ts'
import { moduleOf, roleByName } from './roles/name-rules.ts'
import {
  KEPT_REASONS,
  refusals,
  type RoleDecision,
  type ShapedTensor,
  type TensorRole,
  type TensorRoles,
} from './roles/role.ts'
import type { Refusal } from './refusal.ts'
import { ConfigSelector } from './select-config.ts'

/** What transformers says of a model that torchao quantized. */
export interface HuggingFaceQuantization {
  readonly config: QuantizationConfig
  /**
   * What stays: begins of tensors' names, as regular expressions, or their ends. Where undefined, the output
   * head stays, and an embedding that it is tied to.
   */
  readonly modulesToNotConvert?: readonly string[] | undefined
  /** Whether embedding and output head are off that list; `_default` of an FqnToConfig reaches embeddings then. */
  readonly includeInputOutputEmbeddings: boolean
  /** Whether a tied output head is cut from its embedding where that is quantized; it stays floating. */
  readonly untieEmbeddingWeights: boolean
}

/**
 * A config, and which modules transformers (5.17) quantizes by it: what its `TorchAoConfig` says. Pass it to
 * {@link quantize_} or {@link quantizeStateDict} in place of a config, and its {@link TorchAoConfig.roles} to
 * {@link weightTransform}. No key of an FqnToConfig goes before what it says.
 */
export class TorchAoConfig implements HuggingFaceQuantization {
  readonly config: QuantizationConfig
  readonly modulesToNotConvert: readonly string[] | undefined
  readonly includeInputOutputEmbeddings: boolean
  readonly untieEmbeddingWeights: boolean

  constructor(fields: Pick<HuggingFaceQuantization, 'config'> & Partial<HuggingFaceQuantization>) {
    takes(
      'o<config:o>{config modulesToNotConvert includeInputOutputEmbeddings untieEmbeddingWeights}',
      fields,
    )
    const { config } = fields
    takes('o<quantizeTensor:f>', config)
    this.config = config
    this.modulesToNotConvert = fields.modulesToNotConvert
    this.includeInputOutputEmbeddings = fields.includeInputOutputEmbeddings ?? false
    this.untieEmbeddingWeights = fields.untieEmbeddingWeights ?? false
  }

  /**
   * What tensors are: roles of `roles`, with other reasons to stay.
   *
   * @param isTied - whether the output head has no weight but the embedding's
   */
  roles(roles: TensorRoles, isTied: boolean): TensorRoles {
    takes('f.', roles, isTied)
    const { config, modulesToNotConvert, includeInputOutputEmbeddings } = this
    const { untieEmbeddingWeights } = this
    const kept = modulesToNotConvert?.map((key) => ({
      key,
      begin: fullMatchPattern(`(?:${key}).*`),
    }))

    function reasonOf(name: string, tensor: ShapedTensor, own: RoleDecision): Reason {
      const { role } = own
      const isOuter = role === 'embedding' || role === 'output head'
      if (role === 'output head' && isTied && untieEmbeddingWeights) return stays(UNTIED)
      const listed = kept?.find(({ key, begin }) => {
        const isFreed = isOuter && includeInputOutputEmbeddings && key === moduleOf(name)
        return !isFreed && (begin.test(name) || name.endsWith(key))
      })
      if (listed) return stays(`it is in modules_to_not_convert, as '${listed.key}'`)
      if (!isOuter) return own
      if (!kept && !includeInputOutputEmbeddings && (role === 'output head' || isTied)) {
        return stays(role === 'output head' ? own.reason : 'the output head is tied to it')
      }
      const isMatrix = tensor.shape.length === 2 && isFloatDType(tensor.dtype as DType)
      if (!isMatrix || !name.endsWith('weight')) return own
      if (role === 'output head') return { reason: undefined }
      if (!includeInputOutputEmbeddings) return own
      return { reason: isFqnToConfig(config) ? undefined : 'only FqnToConfig reaches embeddings' }
    }

    return (name, tensor) => {
      const own = roles(name, tensor)
      return { ...own, ...reasonOf(name, tensor, own) }
    }
  }

  /** Whether an embedding of these {@link TorchAoConfig.roles} is quantized, and the head tied to it stays. */
  cuts([name, weight]: readonly [name: string, weight: Tensor], roles: TensorRoles): boolean {
    takes('xtf', name, weight, roles)
    const selector = new ConfigSelector(this.config, undefined)
    const selected = selector.select(name, weight, refusals(roles)(name, weight))
    return this.untieEmbeddingWeights && 'config' in selected
  }

  /** Why weights of modules of `model` stay; unties its head where that is due. */
  refusalsIn(model: Module): (module: Module, fqn: string) => Refusal | undefined {
    takes('o<namedModules:f>', model)
    const { hasTiedHead: isTied = false } = model as Partial<TiedModel>
    const modules = new Map(model.namedModules())
    const roles = this.roles((name, weight) => roleIn(modules, name, weight), isTied)
    const [fqn, embedding] = [...modules].find(([, module]) => isEmbedding(module)) ?? []
    if (isTied && embedding && this.cuts([`${fqn}.weight`, weightOf(embedding)], roles)) {
      ;(model as Partial<TiedModel>).untieHead?.()
      for (const [name, module] of model.namedModules()) modules.set(name, module)
    }
    return (module, fqn) =>
      'weight' in module
        ? refusals(roles)(fqn === '' ? 'weight' : `${fqn}.weight`, weightOf(module))
        : undefined
  }
}

/** A model whose output head may have no weight but its embedding's. */
interface TiedModel {
  readonly hasTiedHead: boolean
  untieHead(): void
}

function weightOf(module: Module): Tensor {
  return (module as unknown as { readonly weight: Tensor }).weight
}

function isEmbedding(module: Module): boolean {
  const { weight, numEmbeddings } = module as { weight?: Tensor; numEmbeddings?: number }
  return weight?.ndim === 2 && weight.shape[0] === numEmbeddings
}

/** What a weight is, by its module; only that a linear layer is the output head, its name tells. */
function roleIn(
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

type Reason = Pick<RoleDecision, 'reason' | 'isFinal'>

const UNTIED = 'it was cut from the embedding that it was tied to, which is quantized'

function stays(reason: string | undefined): Reason {
  return { reason, isFinal: true }
}

/** @file Which modules transformers quantizes: what a `quantization_config` says beside its config. */

import {
  isFloatDType,
  takes,
  ValueError,
  type DType,
  type QuantizationConfig,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { isFqnToConfig } from './fqn-to-config.ts'
import type { HuggingFaceQuantization } from './hugging-face.ts'
import { fullMatchPattern } from './python-pattern.ts'
import { moduleOf } from './roles/name-rules.ts'
import type { RoleDecision, ShapedTensor, TensorRoles } from './roles/role.ts'

/** A config, or all that transformers' `TorchAoConfig` says. */
export type ConfigOrQuantization = QuantizationConfig | HuggingFaceQuantization

/**
 * The fields beside the config; undefined where there are none.
 *
 * @throws {@link ValueError} for a filter beside them
 */
export function quantizationOf(
  given: ConfigOrQuantization,
  filter: unknown,
): HuggingFaceQuantization | undefined {
  const isWhole = typeof given === 'object' && given !== null && 'config' in given
  if (!isWhole) return undefined
  if (!filter) return given
  const cure = 'Leave the filter out: modulesToNotConvert says what stays.'
  throw fail(ValueError, 'no filter beside a quantization_config', 'both', cure)
}

/**
 * What the tensors of a model are where transformers quantizes it by `quantization`: roles of `roles`, with
 * other reasons to stay. For {@link weightTransform}; the others take the quantization itself.
 *
 * Without `modulesToNotConvert`, the output head stays, and an embedding that is tied to it; with it, what it
 * names: the begin of a tensor's name, as a regular expression, or its end. `includeInputOutputEmbeddings`
 * takes embedding and head off that list, and lets an FqnToConfig reach embeddings by `_default`, too. A head
 * that is cut from its embedding stays. No key goes before any of this.
 *
 * @param isTied - whether the output head has no weight but the embedding's
 */
export function convertedRoles(
  quantization: HuggingFaceQuantization,
  roles: TensorRoles,
  isTied: boolean,
): TensorRoles {
  takes('o<config:o>f.', quantization, roles, isTied)
  const { config, modulesToNotConvert, includeInputOutputEmbeddings, untieEmbeddingWeights } =
    quantization
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

type Reason = Pick<RoleDecision, 'reason' | 'isFinal'>

const UNTIED = 'it was cut from the embedding that it was tied to, which is quantized'

function stays(reason: string | undefined): Reason {
  return { reason, isFinal: true }
}

/** @file A config applied to named tensors: a state dict, or a file tensor by tensor. */

import {
  isSkipped,
  ValueError,
  type QuantizationConfig,
  type Skipped,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { describeQuantized, quantizeCandidates, type ApplyOptions } from './jobs.ts'
import { checkFiniteHost, quantizeWeight, type Lost } from './quantize-weight.ts'
import type { QuantizedWeight, QuantizeReport, SkippedWeight } from './report.ts'
import { refusals, type TensorRole, type TensorRoles } from './roles/role.ts'
import { tensorRoles } from './roles/tensor-roles.ts'
import type { Refusal } from './refusal.ts'
import { ConfigSelector, formatOf } from './select-config.ts'
import { torchAoConfigOf, type ConfigOrTorchAo } from './torchao-config-of.ts'

/** Whether to quantize the tensor of this name. */
export type WeightFilter = (name: string, tensor: Tensor) => boolean

/** What says which tensors are weights to quantize. */
export interface WeightChoice {
  /** Which tensors to quantize; those that are linear layers, or experts, by `roles` unless given. */
  readonly filter?: WeightFilter | null | undefined
  /** What the tensors are: {@link tensorRoles} of nothing unless given, which tells by name and shape. */
  readonly roles?: TensorRoles | undefined
}

/** Options of {@link quantizeStateDict}. */
export interface QuantizeStateDictOptions extends ApplyOptions, WeightChoice {}

/**
 * {@link quantize_} for named tensors, without a model. The name less its last part is the module's. A head
 * that is tied, which entries do not have, or have as the same tensor, becomes `lm_head.weight` where
 * it is to be cut from an embedding that is quantized.
 *
 * @returns the entries with quantized weights in place (the map that was passed is not changed), and a
 * report on each entry
 * @throws what {@link quantize_} throws
 */
export async function quantizeStateDict(
  entries: ReadonlyMap<string, Tensor>,
  config: ConfigOrTorchAo,
  options: QuantizeStateDictOptions = {},
): Promise<{ stateDict: Map<string, Tensor>; report: QuantizeReport }> {
  takes(
    'o<get:f entries:f size:n>oo{filter allowNonFinite allowUnusedKeys onProgress roles}?',
    entries,
    config,
    options,
  )
  const stateDict = new Map(entries)
  stateDict.forEach((weight, name) => takes('tx', weight, name))
  const torchAo = torchAoConfigOf(config, options.filter)
  const applied = torchAo?.config ?? (config as QuantizationConfig)
  let { roles = tensorRoles() } = options
  if (torchAo) {
    const embedding = tiedEmbedding(entries, roles)
    roles = torchAo.roles(roles, embedding !== undefined)
    const hasHead = [...entries].some((entry) => roles(...entry).role === 'output head')
    if (embedding && !hasHead && torchAo.cuts(embedding, roles)) {
      stateDict.set(HEAD, embedding[1])
    }
  }
  const refusal = refusalsOf({ ...options, roles })
  const candidates = [...stateDict].map(([name, weight]) => ({
    name,
    refusal: refusal(name, weight),
    read: () => weight,
    replace: (quantized: Tensor) => void stateDict.set(name, quantized),
  }))
  return { stateDict, report: await quantizeCandidates(candidates, applied, options) }
}

/** The name that transformers gives a head that it cuts from an embedding. */
const HEAD = 'lm_head.weight'

/** The embedding that an output head is tied to. */
function tiedEmbedding(
  entries: ReadonlyMap<string, Tensor>,
  roles: TensorRoles,
): readonly [name: string, weight: Tensor] | undefined {
  const ofRole = (role: TensorRole): (readonly [string, Tensor])[] =>
    [...entries].filter(([name, weight]) => roles(name, weight).role === role)
  const [embedding] = ofRole('embedding')
  const isTied = ofRole('output head').every(([, weight]) => weight === embedding?.[1])
  return isTied ? embedding : undefined
}

/** Options of {@link weightTransform}. */
export interface WeightTransformOptions extends WeightChoice {
  /** Quantizes weights with NaN or infinite elements instead of refusing them. */
  readonly allowNonFinite?: boolean
  /** Told of each weight that was quantized. */
  readonly onQuantize?: ((weight: QuantizedWeight) => void) | undefined
  /** Told of each weight that was left as it is, and why. */
  readonly onSkip?: ((weight: SkippedWeight) => void) | undefined
}

/**
 * A function that quantizes tensors by name, one at a time: for a file too large for memory.
 *
 * It may see a name several times, first as a `meta` tensor to plan the result's layout, then with
 * data. It decides about a name, and reports it, when it sees it first. So a weight whose numbers are all
 * too small for the format, which {@link quantizeStateDict} keeps, is refused here: by then its place in
 * the file is planned.
 *
 * @returns a function that gives the quantized tensor, or the same tensor where that stays as it is:
 * what `transformCheckpoint` of @ao/safetensors takes. It throws what {@link quantize_} throws
 */
export function weightTransform(
  config: QuantizationConfig,
  options: WeightTransformOptions = {},
): (name: string, tensor: Tensor) => Tensor {
  takes('.o{filter allowNonFinite onQuantize onSkip roles}?', config, options)
  const selector = new ConfigSelector(config, options.filter)
  const refusal = refusalsOf(options)
  /** The format that was decided on for each name; undefined for those that stay as they are. */
  const decided = new Map<string, string | undefined>()

  return (name, tensor) => {
    const before = decided.get(name)
    if (before === undefined && decided.has(name)) return tensor
    const result = transform(name, tensor)
    const format = isSkipped(result) ? undefined : formatOf(result)
    if (before !== undefined && format !== before) throw changed(name, before, result)
    if (before === undefined) {
      decided.set(name, format)
      if (isSkipped(result)) options.onSkip?.({ name, reason: result.skipped })
      else options.onQuantize?.(describeQuantized(name, tensor, result))
    }
    return isSkipped(result) ? tensor : result
  }

  function transform(name: string, tensor: Tensor): Tensor | Skipped {
    const selected = selector.select(name, tensor, refusal(name, tensor))
    if ('skipped' in selected) return selected
    if (!options.allowNonFinite) checkFiniteHost(tensor, name)
    return quantizeWeight(tensor, name, selected.config, options.allowNonFinite)
  }
}

function refusalsOf({
  filter,
  roles = tensorRoles(),
}: WeightChoice): (name: string, tensor: Tensor) => Refusal | undefined {
  if (!filter) return refusals(roles)
  return (name, tensor) =>
    filter(name, tensor) ? undefined : { reason: 'the filter left it out', isFinal: false }
}

function changed(name: string, before: string, result: Tensor | Skipped): ValueError {
  const isLost = isSkipped(result) && (result as Partial<Lost>).isLost === true
  const leaveOut = 'Leave this weight out: with a filter, or null in FqnToConfig.'
  return new ValueError({
    package: '@ao/quantize',
    expected: isLost
      ? `${name} to have numbers that ${before} can hold, as planned before they were read`
      : `${name} to become a ${before} again`,
    got: isSkipped(result) ? `the reason to skip it '${result.skipped}'` : formatOf(result),
    cure: isLost ? leaveOut : `A config must decide by name, shape and dtype alone. ${leaveOut}`,
  })
}

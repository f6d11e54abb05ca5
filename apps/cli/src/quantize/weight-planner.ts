/** @file Which tensors of a checkpoint are quantized, and what becomes of each. */

import {
  AoError,
  cast,
  FormatError,
  isFloatDType,
  isSkipped,
  isTensorSubclass,
  skip,
  type DType,
  type FloatDType,
  type QuantizationConfig,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import {
  fqnMatchesFqnConfig,
  FqnToConfig,
  weightTransform,
  type HuggingFaceQuantization,
  type SkippedWeight,
  type TensorRole,
  type TensorRoles,
  type TorchAoConfig,
} from '@ao/quantize'
import type { Checkpoint, TensorPart } from '@ao/safetensors'
import { checkConfigKeys } from '../config-keys.ts'
import { checkKnown, describeTensor } from '../describe-tensor.ts'
import { usageError, UsageError } from '../errors.ts'
import { FORMATS } from '../formats.ts'

export interface WeightOptions {
  readonly config: QuantizationConfig
  /** What transformers' `TorchAoConfig` says beside the config; undefined where there was only a config. */
  readonly quantization: TorchAoConfig | undefined
  /** What the tensors are. */
  readonly roles: TensorRoles
  /** Whether config.json lets an output head that is not in the files be the embedding. */
  readonly maybeTied: boolean
  /** Modules to quantize: names, or `re:` and a pattern. Empty means all linear layers. */
  readonly include: readonly string[]
  /** Modules to leave alone. */
  readonly exclude: readonly string[]
  /** Whether to quantize the output head, too. */
  readonly lmHead: boolean
  /** What floating tensors are cast to first. */
  readonly dtype: FloatDType | undefined
}

/** What becomes of a tensor. */
export interface TensorPlan {
  readonly name: string
  /** The file that it goes to, which has the name of the one that it is in where that is safetensors. */
  readonly fileName: string
  /** Undefined for classes that `ao` does not know. */
  readonly shape: readonly number[] | undefined
  /** What it is: a dtype such as `bfloat16`, or a class. */
  readonly from: string
  /** What it becomes. */
  readonly to: string
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** What it is to the model. */
  readonly role: TensorRole
  /** What says so: the table of a family, or a rule on names or shapes. */
  readonly rule: string
  /** Why it is not quantized; undefined where it is. */
  readonly reason: string | undefined
}

/** What becomes of the tensors of a checkpoint, and what is worth saying of the options. */
export interface CheckpointPlan {
  readonly tensors: readonly TensorPlan[]
  readonly notes: readonly string[]
  /** Tensors that are written under another name, too, by that name. */
  readonly copies: Readonly<Record<string, string>>
}

const HEAD: TensorRole = 'output head'
/** As transformers calls the weight of a head that it cuts from an embedding. */
const HEAD_NAME = 'lm_head.weight'

/** Gives the tensor that takes another's place; the same one where it stays. */
type Transform = (name: string, tensor: Tensor) => Tensor

/** Decides about the tensors of one checkpoint. */
export class WeightPlanner {
  readonly #checkpoint: Checkpoint
  readonly #options: WeightOptions
  readonly #roles: TensorRoles
  readonly #included: FqnToConfig
  readonly #excluded: FqnToConfig
  readonly #quantize: Transform
  readonly #reasons = new Map<string, string>()

  constructor(checkpoint: Checkpoint, options: WeightOptions) {
    const { config, lmHead, quantization, include, exclude } = options
    if (quantization && (lmHead || include.length + exclude.length > 0)) {
      const cure = 'Say it in modules_to_not_convert.'
      throw usageError(
        'no --include, --exclude or --lm-head with a quantization_config',
        'one',
        cure,
      )
    }
    if (lmHead && config.configName === FqnToConfig.configName) {
      const cure = 'Write "lm_head" into it.'
      throw usageError('--lm-head with a config for all layers', config.configName, cure)
    }
    this.#checkpoint = checkpoint
    this.#options = options
    this.#roles = this.#effectiveRoles()
    this.#included = patterns(options.include)
    this.#excluded = patterns(options.exclude)
    const onSkip = ({ name, reason }: SkippedWeight): void => {
      this.#reasons.set(name, reason)
    }
    this.#quantize = weightTransform(config, { onSkip, roles: this.#roles })
  }

  /** Quantizes, casts or passes on a tensor, also one of the `meta` device. */
  readonly transform: Transform = (name, tensor) => {
    const prepared = this.#cast(tensor)
    const decision = this.#decide(name, prepared)
    return isSkipped(decision) ? prepared : decision
  }

  /**
   * What becomes of each tensor, found without reading any.
   *
   * @throws {@link UsageError} where nothing would be quantized, or an option speaks of nothing there
   */
  async plan(): Promise<CheckpointPlan> {
    const tensors: TensorPlan[] = []
    for (const name of this.#checkpoint.names) tensors.push(await this.#planTensor(name, name))
    const copies = this.#untied(tensors)
    for (const [name, source] of Object.entries(copies)) {
      tensors.push(await this.#planTensor(name, source))
    }
    const notes = this.#checkKeys(tensors)
    this.#checkOptions(tensors)
    return { tensors, notes, copies }
  }

  #effectiveRoles(): TensorRoles {
    const { lmHead, quantization, roles, maybeTied } = this.#options
    if (!quantization) return lmHead ? withHead(roles) : roles
    const { names } = this.#checkpoint
    const hasHead = names.some((name) => roles(name, this.#look(name)).role === HEAD)
    return quantization.roles(roles, maybeTied && !hasHead)
  }

  /** What roles look at in a tensor of the files. */
  #look(name: string): { readonly shape: readonly number[]; readonly dtype: string } {
    const { shape = [], dtype = '' } = this.#checkpoint.info(name)
    return { shape, dtype }
  }

  /** The output head that gets a weight of its own, where the embedding that it was tied to is quantized. */
  #untied(plans: readonly TensorPlan[]): Readonly<Record<string, string>> {
    const { quantization, maybeTied } = this.#options
    const isTied = maybeTied && !plans.some(({ role }) => role === HEAD)
    const embedding = plans.find(({ role, reason }) => role === 'embedding' && reason === undefined)
    if (!isTied || !embedding || quantization?.untieEmbeddingWeights !== true) return {}
    return { [HEAD_NAME]: embedding.name }
  }

  /** What `plans` come to, as the `quantization_config` of the result says it. */
  quantization(plans: readonly TensorPlan[]): HuggingFaceQuantization {
    const { config, quantization } = this.#options
    if (quantization) return quantization
    const includesEmbeddings = plans.some(isQuantizedEmbedding)
    return {
      config,
      // Unless told, the transformers library leaves heads alone, and what is tied to them.
      modulesToNotConvert: this.#keptModules(plans) ?? (includesEmbeddings ? [] : undefined),
      includeInputOutputEmbeddings: includesEmbeddings,
      untieEmbeddingWeights: false,
    }
  }

  /** Modules that `plans` leave alone by the caller's wish, for `modules_to_not_convert`. */
  #keptModules(plans: readonly TensorPlan[]): readonly string[] | undefined {
    const { include, exclude, lmHead } = this.#options
    if (include.length + exclude.length === 0 && !lmHead) return undefined
    return plans
      .filter(({ name, role, shape, reason }) => {
        const isCandidate = role === HEAD || (shape?.length === 2 && this.#wish(name) !== undefined)
        return reason !== undefined && isCandidate && name.endsWith('.weight')
      })
      .map(({ name }) => moduleOf(name))
  }

  /** @param source - the tensor of the files that `name` is made of */
  async #planTensor(name: string, source: string): Promise<TensorPlan> {
    checkKnown(this.#checkpoint, source)
    const { format, shape, bytes, parts } = await describeTensor(this.#checkpoint, source)
    const plan = {
      ...{ name, shape, fileName: this.#target(parts), from: format, bytesBefore: bytes },
      ...{ to: format, bytesAfter: bytes, role: 'other' as TensorRole, rule: 'its dtype' },
    }
    const { format: type, dtype } = this.#checkpoint.info(source)
    if (type === 'Tensor' && dtype === undefined) {
      return { ...plan, reason: `no tensor here has the dtype ${format}` }
    }
    const prepared = this.#cast(await this.#checkpoint.plan(source, { formats: FORMATS }))
    const { role, rule } = this.#roles(name, prepared)
    const decision = this.#decide(name, prepared)
    const result = isSkipped(decision) ? prepared : decision
    return {
      ...{ ...plan, role, rule },
      to: isTensorSubclass(result) ? classNameOf(result) : result.dtype,
      bytesAfter: result.nbytes,
      reason: isSkipped(decision) ? decision.skipped : undefined,
    }
  }

  /** The file that a tensor of these parts goes to. */
  #target([part]: readonly TensorPart[]): string {
    return part ? this.#checkpoint.writtenAs(part.fileName) : ''
  }

  #cast(tensor: Tensor): Tensor {
    const { dtype } = this.#options
    const isFloat = !isTensorSubclass(tensor) && isFloatDType(tensor.dtype)
    return dtype !== undefined && isFloat ? cast(tensor, dtype) : tensor
  }

  /** The quantized tensor, or why this one is not. */
  #decide(name: string, tensor: Tensor): Tensor | Skipped {
    const wish = this.#wish(name)
    if (wish !== undefined) return skip(wish)
    // Parts of a quantized tensor are named after its module.
    if (!name.includes('.')) return skip('its name has no module before the last dot')
    try {
      const result = this.#quantize(name, tensor)
      return result === tensor ? skip(this.#reasons.get(name) ?? 'it stays as it is') : result
    } catch (error) {
      throw this.#unfit(name, tensor, error)
    }
  }

  /** Why the caller leaves a tensor alone; undefined where the config decides. */
  #wish(name: string): string | undefined {
    const module = moduleOf(name)
    if (fqnMatchesFqnConfig(module, this.#excluded)) return 'it is in --exclude'
    if (this.#options.include.length === 0) return undefined
    return fqnMatchesFqnConfig(module, this.#included) ? undefined : 'it is not in --include'
  }

  /** Notes on keys of the config that name nothing. */
  #checkKeys(plans: readonly TensorPlan[]): string[] {
    const { config } = this.#options
    if (!(config instanceof FqnToConfig)) return []
    const unused = new Set(Object.keys(config.fqnToConfig))
    for (const { name, shape = [], from } of plans) {
      const isDefaultTarget = this.#roles(name, { shape, dtype: from }).reason === undefined
      const match = config.match(name, isDefaultTarget)
      if (match) unused.delete(match.key)
    }
    return checkConfigKeys(config, this.#checkpoint.names, [...unused])
  }

  #checkOptions(plans: readonly TensorPlan[]): void {
    const { include, exclude, lmHead } = this.#options
    for (const [option, list] of Object.entries({ include, exclude })) {
      for (const pattern of list) {
        const one = patterns([pattern])
        if (plans.some(({ name }) => fqnMatchesFqnConfig(moduleOf(name), one))) continue
        throw usageError(
          `--${option} to match a module of the checkpoint`,
          pattern,
          'Names are as in ao inspect, without .weight; patterns begin with re: and match whole names.',
        )
      }
    }
    if (lmHead && !plans.some(({ role }) => role === HEAD)) {
      const cure = 'The head is tied to the embedding: leave --lm-head out.'
      throw usageError('an output head in the checkpoint, for --lm-head', 'none', cure)
    }
    if (plans.some(({ reason }) => reason === undefined)) return
    const reasons = [...new Set(plans.map(({ reason }) => reason))].join('; ')
    const cure =
      include.length + exclude.length > 0
        ? 'Loosen --include and --exclude.'
        : 'Quantize another model: there is no weight here that a config fits.'
    throw usageError('a weight to quantize', `none: ${reasons}`, cure)
  }

  /** Where even a tensor without numbers is refused, options and shapes do not fit each other. */
  #unfit(name: string, tensor: Tensor, error: unknown): unknown {
    const cause = AoError.isInstance(error) && AoError.isInstance(error.cause) ? error.cause : error
    if (!AoError.isInstance(cause)) return error
    const fileName = this.#checkpoint.info(name).parts[0]?.fileName ?? 'the checkpoint'
    const Unfit = tensor.device.name === 'meta' ? UsageError : FormatError
    return new Unfit({
      package: '@ao/cli',
      expected: `${name} in ${fileName} to be fit for ${this.#options.config.configName}`,
      got: `${cause.got ?? 'this'} (expected ${cause.expected})`,
      cure: `Leave it out with --exclude ${moduleOf(name)}, or choose another config.`,
      cause: error,
    })
  }
}

/** Whether a tensor is an embedding, or the head of a language model, that becomes quantized. */
function isQuantizedEmbedding({ role, reason }: TensorPlan): boolean {
  return reason === undefined && (role === 'embedding' || role === HEAD)
}

/** The same roles, with no reason to leave output heads alone. */
function withHead(roles: TensorRoles): TensorRoles {
  return (name, tensor) => {
    const decision = roles(name, tensor)
    const isMatrix = name.endsWith('.weight') && tensor.shape.length === 2
    return decision.role === HEAD && isMatrix && isFloatDType(tensor.dtype as DType)
      ? { ...decision, reason: undefined }
      : decision
  }
}

// FqnToConfig knows names and patterns as torchao does.
function patterns(list: readonly string[]): FqnToConfig {
  return new FqnToConfig(Object.fromEntries(list.map((pattern) => [pattern, null])))
}

function moduleOf(name: string): string {
  return name.slice(0, Math.max(name.lastIndexOf('.'), 0))
}

function classNameOf(tensor: Tensor): string {
  return (tensor.constructor as unknown as { formatName: string }).formatName
}

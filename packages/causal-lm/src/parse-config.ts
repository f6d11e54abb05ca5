/** @file Reads a model's config.json and generation_config.json, whatever its family. */

import { takes } from '@ao/base-tensor'
import type { CheckpointFolder } from '@ao/safetensors'
import {
  checkUnreadFields,
  ConfigFields,
  readJson,
  readJsonIfThere,
  reportUnusedFields,
  ropeRegime,
  type ConfigOptions,
  type LoadOptions,
} from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'
import type { CausalLMFamily } from './family.ts'
import { fieldRules, GENERATION_FIELDS } from './fields.ts'

/** The family that a config.json is of, and what it says. */
export interface ParsedConfig {
  /** The one that `model_type` names. */
  readonly family: CausalLMFamily
  /** What it read. */
  readonly config: CausalLMConfig
}

/**
 * The model's shape and arithmetic from a parsed config.json, of transformers 4 or 5. Fields that are absent
 * have the defaults of transformers.
 *
 * @param families - of which `model_type` chooses
 * @param where - what messages call the file
 * @throws {@link FormatError} naming the file and the field that is wrong or not supported, or not known
 * while it may change what the model computes
 */
export function parseConfig(
  json: unknown,
  families: readonly CausalLMFamily[],
  where = 'config.json',
  options: ConfigOptions = {},
): ParsedConfig {
  takes('.lx?o{unknownFields onIgnored}?', json, families, where, options)
  for (const family of families) takes('o<modelTypes:l architectures:l parse:f>', family)
  const fields = new ConfigFields(json, where)
  const types = families.flatMap(({ modelTypes }) => modelTypes)
  const type = fields.get('model_type')
  const family = families.find(({ modelTypes }) => modelTypes.includes(type as string))
  if (!family) return fields.reject('model_type', `one of ${types.join(', ')}`, OTHER_MODELS)
  const parsed = family.parse(fields)
  const ropes = parsed.layerRopes ?? [parsed.rope]
  const isByLength = ropes.some((rope) => ropeRegime(rope, 1) !== undefined)
  const config = Object.freeze({ ...parsed, ...(isByLength && { keepsIds: true }) })
  checkUnreadFields(fields, fieldRules(family), config, options)
  return { family, config }
}

const OTHER_MODELS =
  '@ao/causal-lm has more families to pass. What none of them runs can be quantized all the same, as files.'

/** Reads config.json of `folder`, and the ids that end a text of its generation_config.json. */
export async function readConfig(
  folder: CheckpointFolder,
  families: readonly CausalLMFamily[],
  options: LoadOptions,
): Promise<ParsedConfig> {
  const where = (file: string): string => `${file} of ${folder.name}`
  const [json, generation] = await Promise.all([
    readJson(folder, 'config.json', options),
    readJsonIfThere(folder, GENERATION, options),
  ])
  const parsed = parseConfig(json, families, where('config.json'), {
    ...(options.unknownFields && { unknownFields: options.unknownFields }),
    ...(options.onIgnored && { onIgnored: options.onIgnored }),
  })
  if (!generation) return parsed
  const eosTokenIds = parseStopIds(generation, where(GENERATION), parsed.config, options)
  return { ...parsed, config: Object.freeze({ ...parsed.config, eosTokenIds }) }
}

/**
 * The tokens that end a text, from a parsed generation_config.json. As in transformers, they take the place
 * of those in config.json; a file that names none leaves them.
 *
 * @throws {@link FormatError} for anything but token ids
 */
function parseStopIds(
  json: unknown,
  where: string,
  { eosTokenIds }: CausalLMConfig,
  { onIgnored }: ConfigOptions,
): readonly number[] {
  const fields = new ConfigFields(json, where)
  const ids = fields.ids('eos_token_id', eosTokenIds)
  reportUnusedFields(fields, GENERATION_FIELDS, onIgnored)
  return ids.length > 0 ? ids : eosTokenIds
}

const GENERATION = 'generation_config.json'

/** @file From `--config` and the options that go with it to a quantization config. */

import {
  AoError,
  FormatError,
  isJsonObject,
  type Json,
  type QuantizationConfig,
} from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
import type { Int4ChooseQparamsAlgorithm, Int4PackingFormat } from '@ao/quantized-linear'
import { configFromJson, readQuantizationConfig, type ConfigOrTorchAo } from '@ao/quantize'
import { parsePythonJson } from '@ao/safetensors'
import { Option, type Command } from 'commander'
import { usageError } from './errors.ts'
import {
  CONFIGS,
  FORMATS,
  INT4_FORMATS,
  NAMED_CONFIGS,
  type NamedConfig,
  type NamedConfigOptions,
} from './formats.ts'
import { integerFrom } from './options.ts'
import { readTextFile } from './read-file.ts'
import { nearest } from './suggest.ts'

/** For help texts: each name with what it means. */
export const CONFIG_HELP: string = [
  'Configs:',
  ...NAMED_CONFIGS.map(({ names, summary }) => `  ${names.join(', ').padEnd(26)}${summary}`),
  `  ${'<file>.json'.padEnd(26)}what torchao's config_to_dict gives, FqnToConfig included, or a`,
  `  ${''.padEnd(26)}quantization_config of transformers, alone or in a config.json`,
].join('\n')

/** The options that {@link addConfigOptions} adds, as they were given. */
export interface ConfigArguments {
  readonly granularity?: string
  readonly groupSize?: number
  readonly bits?: number
  readonly format?: string
  readonly algorithm?: string
}

/** The option that gives each value, for messages. */
const FLAGS: Readonly<Record<keyof NamedConfigOptions, string>> = {
  granularity: '--granularity',
  groupSize: '--group-size',
  bits: '--bits',
  packingFormat: '--format',
  chooseQparamsAlgorithm: '--algorithm',
}

const FORMAT_NAMES = INT4_FORMATS.map(({ packingFormat }) => packingFormat.toLowerCase())

/** Adds the options that refine a named config. */
export function addConfigOptions(command: Command): Command {
  return command
    .option('--granularity <g>', 'of int8: row, tensor or group:<n>')
    .option('--group-size <n>', 'of int4, intx, 8da4w and uintx', integerFrom(1))
    .option('--bits <n>', 'of intx and 8da4w: 1 to 8; of uintx: 4 or 8', integerFrom(1))
    .addOption(new Option('--format <name>', 'packing format of int4').choices(FORMAT_NAMES))
    .addOption(
      new Option(
        '--algorithm <name>',
        'how int4 scales are chosen; hqq goes with --format tile_packed_to_4d',
      ).choices(['tinygemm', 'hqq']),
    )
}

/** The config that a name, with its options, or a JSON file stands for. */
export async function readConfig(
  nameOrFile: string,
  args: ConfigArguments,
): Promise<ConfigOrTorchAo> {
  const [config] = await readConfigs([nameOrFile], args)
  return config as ConfigOrTorchAo
}

/** {@link readConfig} for several; each option goes to those that take it, and one of them must. */
export async function readConfigs(
  namesOrFiles: readonly string[],
  args: ConfigArguments,
): Promise<ConfigOrTorchAo[]> {
  const options = parseOptions(args)
  const taken = new Set(namesOrFiles.filter(isName).flatMap((name) => named(name).takes))
  const other = (Object.keys(options) as (keyof NamedConfigOptions)[]).find((o) => !taken.has(o))
  if (other !== undefined) {
    throw usageError(
      `a --config that takes ${FLAGS[other]}`,
      namesOrFiles.join(', ') || 'none',
      namesOrFiles.every(isName) ? 'Leave it out.' : 'Write it into the file.',
    )
  }
  return Promise.all(
    namesOrFiles.map((name) => (isName(name) ? createNamed(name, options) : readFileConfig(name))),
  )
}

function isName(nameOrFile: string): boolean {
  return !nameOrFile.endsWith('.json')
}

function createNamed(name: string, options: NamedConfigOptions): QuantizationConfig {
  const config = named(name)
  const own = Object.entries(options).filter(([option]) =>
    config.takes.includes(option as keyof NamedConfigOptions),
  )
  try {
    return config.create(Object.fromEntries(own))
  } catch (error) {
    if (!AoError.isInstance(error)) throw error
    const cure = 'Its --help says which values go together.'
    throw usageError(`--config ${name} with ${error.expected}`, error.got ?? 'others', cure)
  }
}

async function readFileConfig(path: string): Promise<ConfigOrTorchAo> {
  const json = await readJson(path)
  const options = { configs: CONFIGS, formats: FORMATS }
  const isAlone = isJsonObject(json) && json['quant_method'] !== undefined
  const whole = isAlone ? { quantization_config: json } : json
  const isWhole = isJsonObject(whole) && whole['_type'] === undefined
  return (
    (isWhole ? readQuantizationConfig(whole, options) : undefined) ??
    configFromJson(json, options, path)
  )
}

function parseOptions(args: ConfigArguments): NamedConfigOptions {
  const { granularity, groupSize, bits, format, algorithm } = args
  return {
    ...(granularity !== undefined && { granularity: parseGranularity(granularity) }),
    ...(groupSize !== undefined && { groupSize }),
    ...(bits !== undefined && { bits }),
    ...(format !== undefined && { packingFormat: formatOf(format) }),
    ...(algorithm !== undefined && {
      chooseQparamsAlgorithm: algorithm.toUpperCase() as Int4ChooseQparamsAlgorithm,
    }),
  }
}

function formatOf(name: string): Int4PackingFormat {
  const found = INT4_FORMATS.find(({ packingFormat }) => packingFormat.toLowerCase() === name)
  return found ?? INT4_FORMATS[0]
}

function named(name: string): NamedConfig {
  const found = NAMED_CONFIGS.find(({ names }) => names.includes(name))
  if (found) return found
  const names = NAMED_CONFIGS.flatMap(({ names }) => names)
  const guess = nearest(name, names)
  const question = guess === undefined ? '' : `Did you mean ${guess}? `
  throw usageError(
    'the name of a config, or a .json file',
    name,
    `${question}Known: ${names.join(', ')}.`,
  )
}

function parseGranularity(text: string): Granularity {
  if (text === 'row') return PerRow()
  if (text === 'tensor') return PerTensor()
  const size = /^group:([1-9]\d*)$/.exec(text)?.[1]
  if (size !== undefined) return PerGroup(Number(size))
  throw usageError(
    '--granularity row, tensor or group:<n>',
    text,
    'For groups of 32 write group:32.',
  )
}

async function readJson(path: string): Promise<Json> {
  const text = await readTextFile(path, 'a config')
  try {
    return parsePythonJson(text, path)
  } catch (cause) {
    throw new FormatError({
      package: '@ao/cli',
      expected: `a config in ${path}`,
      got: `no JSON: ${AoError.isInstance(cause) ? cause.got : String(cause)}`,
      cure: "Write it with torchao's config_to_dict and json.dump.",
      cause,
    })
  }
}

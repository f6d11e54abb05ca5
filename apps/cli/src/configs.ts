/** @file From `--config` and `--granularity` to a quantization config. */

import { FormatError, type Json, type QuantizationConfig } from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
import { configFromJson } from '@ao/quantize'
import { usageError } from './errors.ts'
import { CONFIGS, FORMATS, NAMED_CONFIGS, type NamedConfig } from './formats.ts'
import { readTextFile } from './read-file.ts'
import { nearest } from './suggest.ts'

/** For help texts: each name with what it means. */
export const CONFIG_HELP: string = [
  'Configs:',
  ...NAMED_CONFIGS.map(({ names, summary }) => `  ${names.join(', ').padEnd(26)}${summary}`),
  `  ${'<file>.json'.padEnd(26)}what torchao's config_to_dict gives, FqnToConfig included`,
].join('\n')

/**
 * The config that a name or a JSON file stands for.
 *
 * @param granularity - `row`, `tensor` or `group:<n>`; for names only
 */
export async function readConfig(
  nameOrFile: string,
  granularity: string | undefined,
): Promise<QuantizationConfig> {
  if (!nameOrFile.endsWith('.json')) {
    return named(nameOrFile).create(
      granularity === undefined ? {} : { granularity: parseGranularity(granularity) },
    )
  }
  if (granularity !== undefined) {
    throw usageError(
      '--granularity with a config name',
      `--config ${nameOrFile}`,
      'Write the granularity into the file.',
    )
  }
  const json = await readJson(nameOrFile)
  return configFromJson(json, { configs: CONFIGS, formats: FORMATS }, nameOrFile)
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
    return JSON.parse(text) as Json
  } catch (cause) {
    throw new FormatError({
      package: '@ao/cli',
      expected: `a config in ${path}`,
      got: `no JSON: ${(cause as Error).message}`,
      cure: "Write it with torchao's config_to_dict and json.dump.",
      cause,
    })
  }
}

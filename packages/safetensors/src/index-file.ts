/** @file `model.safetensors.index.json`: which shard of a checkpoint holds which tensor. */

import { isJsonObject } from '@ao/base-tensor'
import { quote, refuse } from './errors.ts'
import { compareNames } from './layout.ts'
import { checkFileName } from './folder.ts'
import { parseStrictJson } from './strict-json.ts'

/** The file of a checkpoint that has one file. */
export const SINGLE_FILE = 'model.safetensors'
export const INDEX_FILE = 'model.safetensors.index.json'

/** Shard by tensor key. */
export type WeightMap = ReadonlyMap<string, string>

/**
 * @param where - the index file's name in messages
 * @throws {@link FormatError} for an index that is damaged or names files outside of its folder
 */
export function parseIndex(text: string, where: string): WeightMap {
  const json = parseStrictJson(text, where)
  const map = isJsonObject(json) ? json['weight_map'] : undefined
  if (!isJsonObject(map)) {
    return refuse(`weight_map of ${where} to be an object`, quote(map), DAMAGED)
  }
  const weightMap = new Map<string, string>()
  for (const [key, fileName] of Object.entries(map)) {
    if (typeof fileName !== 'string') {
      return refuse(`the shard of ${quote(key)} in ${where}`, quote(fileName), DAMAGED)
    }
    checkFileName(fileName, where)
    weightMap.set(key, fileName)
  }
  if (weightMap.size === 0) refuse(`weight_map of ${where} to name tensors`, 'none', DAMAGED)
  return weightMap
}

/** The text of an index, with sorted keys as the transformers library writes it. */
export function formatIndex(weightMap: WeightMap, totalSize: number): string {
  const sorted = [...weightMap].sort(([a], [b]) => compareNames(a, b))
  const pairs = sorted.map(([key, file]) => `    ${JSON.stringify(key)}: ${JSON.stringify(file)}`)
  return `{
  "metadata": {
    "total_size": ${totalSize}
  },
  "weight_map": {
${pairs.join(',\n')}
  }
}
`
}

const DAMAGED = 'The index is damaged: write or download it again.'

/** @file Makes checkpoints for tests, without the code under test. */

import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { modelPath, readRawSafetensors } from '@ao/test-data'
import type { RawTensor } from '@ao/test-kit'

export const MODEL: string = modelPath('stories-4m')

/** Writes a safetensors file of raw tensors. */
export function writeRaw(
  path: string,
  tensors: Iterable<readonly [string, RawTensor]>,
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): void {
  const header: Record<string, unknown> = { __metadata__: metadata }
  const chunks: Uint8Array[] = []
  let offset = 0
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, (offset += bytes.length)] }
    chunks.push(bytes)
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  writeFileSync(path, Buffer.concat([length, json, ...chunks]))
}

/** Copies stories-4m into `folder`, its weights in `count` shards with an index. */
export function shardModel(folder: string, count: number): string {
  mkdirSync(folder, { recursive: true })
  for (const name of ['config.json', 'generation_config.json', 'tokenizer.json']) {
    cpSync(join(MODEL, name), join(folder, name))
  }
  const { tensors, metadata } = readRawSafetensors(join(MODEL, 'model.safetensors'))
  const entries = [...tensors]
  const weightMap: Record<string, string> = {}
  for (let shard = 0; shard < count; shard++) {
    const number = (n: number): string => String(n).padStart(5, '0')
    const fileName = `model-${number(shard + 1)}-of-${number(count)}.safetensors`
    const own = entries.filter((_, i) => Math.floor((i * count) / entries.length) === shard)
    for (const [name] of own) weightMap[name] = fileName
    writeRaw(join(folder, fileName), own, metadata)
  }
  const index = { metadata: { total_size: 7_340_032 }, weight_map: weightMap }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  return folder
}

/** A bfloat16 tensor of these bits, row-major. */
export function bfloat16(shape: readonly number[], bits: (i: number) => number): RawTensor {
  const elements = Uint16Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => bits(i))
  return { dtype: 'BF16', shape, bytes: new Uint8Array(elements.buffer) }
}

/** Digests of a folder's files, by name. */
export function digests(
  folder: string,
  filter: (name: string) => boolean = () => true,
): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder)
      .filter(filter)
      .map((name) => {
        const bytes = readFileSync(join(folder, name))
        return [name, createHash('sha256').update(bytes).digest('hex')]
      }),
  )
}

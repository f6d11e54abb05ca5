/** @file A model's folder quantized into another, weight by weight, as torchao and transformers save it. */

import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json, QuantizationConfig } from '@ao/base-tensor'
import { toQuantizationConfig, weightTransform } from '@ao/quantize'
import { openCheckpoint, transformCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'

/** @returns how many weights were quantized */
export async function quantizeFolder(
  source: string,
  destination: string,
  config: QuantizationConfig,
): Promise<number> {
  const checkpoint = await openCheckpoint(directory(source))
  try {
    const target = directory(destination)
    const report = await transformCheckpoint(checkpoint, target, weightTransform(config))
    const modelConfig = JSON.parse(await readFile(join(source, 'config.json'), 'utf8')) as Json
    const quantized = {
      ...(modelConfig as object),
      quantization_config: toQuantizationConfig(config),
    }
    await writeFile(join(destination, 'config.json'), JSON.stringify(quantized, null, 2))
    await copyFile(join(source, 'tokenizer.json'), join(destination, 'tokenizer.json'))
    return report.transformed.length
  } finally {
    await checkpoint.close()
  }
}

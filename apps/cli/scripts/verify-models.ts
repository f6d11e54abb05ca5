/**
 * @file Compares trained models with what torchao made of them: perplexity by config, greedy tokens,
 * logits and tokenizer. Needs the folder `../shared/models` beside the project; takes minutes. What
 * `../shared/reference/stories` has of a model, computed in float32 by a CPU, goes before what a GPU made
 * with TF32.
 *
 *     npm run verify:models [-- stories-4m]
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readFloat32, type FloatDType, type QuantizationConfig } from '@ao/base-tensor'
import { Float8DynamicActivationFloat8WeightConfig, Float8WeightOnlyConfig } from '@ao/float8'
import { PerGroup, PerRow } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'
import { Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig } from '@ao/int8'
import {
  Int8DynamicActivationIntxWeightConfig,
  IntxWeightOnlyConfig,
  type IntxDType,
} from '@ao/intx'
import { LlamaForCausalLM, loadTokenizer, perplexity, type Tokenizer } from '@ao/llama'
import type { Int4ChooseQparamsAlgorithm, Int4PackingFormat } from '@ao/quantized-linear'
import { Int4WeightOnlyConfig, quantize_ } from '@ao/quantize'
import { openSafetensors } from '@ao/safetensors'
import { directory, fileSource } from '@ao/safetensors/node'
import { sharedPath } from '@ao/test-data'
import { maxAbsoluteDifference, maxRelativeToPeak } from '@ao/test-kit'

/** A configuration, and how far its perplexity may be off. */
interface Case {
  /** As in `reference.json`, or a name of our own for what torchao gave no number for. */
  readonly name: string
  readonly config: QuantizationConfig | undefined
  readonly dtype: FloatDType
  /** From torchao's; where that is missing, how far above torchao's float32, as a share of it. */
  readonly tolerance: number
}

function int4(
  packingFormat: Int4PackingFormat,
  chooseQparamsAlgorithm: Int4ChooseQparamsAlgorithm = 'TINYGEMM',
): QuantizationConfig {
  return new Int4WeightOnlyConfig({ groupSize: 32, packingFormat, chooseQparamsAlgorithm })
}

function intx(weightDtype: IntxDType, groupSize = 32): QuantizationConfig {
  return new IntxWeightOnlyConfig({ weightDtype, granularity: PerGroup(groupSize) })
}

const CASES: readonly Case[] = [
  { name: 'float32', config: undefined, dtype: 'float32', tolerance: 0.002 },
  {
    name: 'int8_weight_only',
    config: new Int8WeightOnlyConfig(),
    dtype: 'float32',
    tolerance: 0.02,
  },
  {
    name: 'int8_dynamic',
    config: new Int8DynamicActivationInt8WeightConfig(),
    dtype: 'float32',
    tolerance: 0.02,
  },
  {
    name: 'int8_dynamic_asym',
    config: new Int8DynamicActivationInt8WeightConfig({ actMappingType: 'ASYMMETRIC' }),
    dtype: 'float32',
    tolerance: 0.02,
  },
  {
    name: 'float8_weight_only',
    config: new Float8WeightOnlyConfig(),
    dtype: 'bfloat16',
    tolerance: 0.02,
  },
  {
    // torchao differs by as much between its devices: activations that lie between two codes go either way.
    name: 'float8_dynamic_row',
    config: new Float8DynamicActivationFloat8WeightConfig({ granularity: PerRow() }),
    dtype: 'bfloat16',
    tolerance: 0.06,
  },
  {
    name: 'int4_tile_packed_g32',
    config: int4(Int4TilePackedTo4dTensor),
    dtype: 'bfloat16',
    tolerance: 0.05,
  },
  {
    name: 'int4_tile_packed_hqq_g32',
    config: int4(Int4TilePackedTo4dTensor, 'HQQ'),
    dtype: 'bfloat16',
    tolerance: 0.05,
  },
  {
    // Codes and scales are torchao's to the bit, so what they give here is torchao's own loss.
    name: 'int4 plain',
    config: int4(Int4Tensor),
    dtype: 'bfloat16',
    tolerance: 0.019,
  },
  {
    name: 'int4 plain_int32',
    config: int4(Int4PlainInt32Tensor),
    dtype: 'bfloat16',
    tolerance: 0.015,
  },
  { name: 'intx_int4_g32', config: intx('int4'), dtype: 'float32', tolerance: 0.02 },
  { name: 'intx_int4_g128', config: intx('int4', 128), dtype: 'float32', tolerance: 0.02 },
  { name: 'intx_int3_g32', config: intx('int3'), dtype: 'float32', tolerance: 0.02 },
  { name: 'intx_int2_g32', config: intx('int2'), dtype: 'float32', tolerance: 0.4 },
  {
    // torchao itself is as far apart on a CPU and on a GPU.
    name: 'int8_dynamic_int4_g32',
    config: new Int8DynamicActivationIntxWeightConfig({ weightDtype: 'int4' }),
    dtype: 'float32',
    tolerance: 0.06,
  },
]

/** What is asked of logits; TF32, with 11 significant bits, moves those of the reference by up to 4e-3. */
const LOGITS_TOLERANCE = { float32: 1e-3, tf32: 4e-3 }

interface Reference {
  readonly perplexity: Readonly<Record<string, number>>
  readonly greedy: Readonly<Record<string, readonly number[]>>
  readonly prompt_ids: readonly number[]
  readonly tokenizer_samples: readonly {
    readonly text: string
    readonly ids: readonly number[]
    readonly decoded: string
  }[]
}

let failures = 0
const models = sharedPath('models')
if (models === undefined) {
  console.log('Nothing to compare with: there is no ../shared/models beside the project.')
  process.exit(1)
}
const wanted = process.argv.slice(2)
const names = ['stories-4m', 'stories-27m'].filter(
  (name) => wanted.length === 0 || wanted.includes(name),
)
for (const name of names) await verify(name, join(models, name), join(models, 'valid.txt'))
process.exit(failures > 0 ? 1 : 0)

async function verify(name: string, path: string, textFile: string): Promise<void> {
  console.log(path)
  const reference = readReference(join(path, 'reference.json')) as Reference
  const exact = sharedPath(`reference/stories/${name}.json`)
  const exactLogits = sharedPath(`reference/stories/${name}-logits.safetensors`)
  const known = { ...reference.perplexity, ...(exact && readReference(exact).perplexity) }
  const tokenizer = await loadTokenizer(directory(path))
  verifyTokenizer(tokenizer, reference)
  await verifyFloat(path, reference, exactLogits)
  // Python read the text with universal newlines.
  const text = readFileSync(textFile, 'utf8').replaceAll('\r\n', '\n').trim()
  const ids = [...tokenizer.encode(text), 2]
  for (const testCase of CASES) {
    const { config, dtype } = testCase
    const model = await LlamaForCausalLM.fromPretrained(directory(path), { dtype })
    if (config) await quantize_(model, config)
    const start = performance.now()
    const result = await perplexity(model, ids)
    const seconds = (performance.now() - start) / 1000
    const rate = `(${(result.tokens / seconds).toFixed(0)} tokens/s)`
    report(testCase, result.perplexity, known, rate)
  }
}

function readReference(file: string): Pick<Reference, 'perplexity'> {
  return JSON.parse(readFileSync(file, 'utf8')) as Pick<Reference, 'perplexity'>
}

function report(
  { name, tolerance }: Case,
  found: number,
  reference: Reference['perplexity'],
  rate: string,
): void {
  const expected = reference[name]
  const float = reference['float32'] as number
  const off = expected === undefined ? found / float - 1 : Math.abs(found - expected)
  const than = expected === undefined ? `float32 ${float.toFixed(4)}` : expected.toFixed(4)
  const text = `perplexity ${found.toFixed(4)}, torchao ${than}, off by ${off.toFixed(4)} of ${tolerance}`
  verdict(off <= tolerance, `${name.padEnd(24)} ${text} ${rate}`)
}

function verifyTokenizer(tokenizer: Tokenizer, { tokenizer_samples: samples }: Reference): void {
  const equal = samples.filter(({ text, ids, decoded }) => {
    const own = tokenizer.encode(text)
    return own.join() === ids.join() && tokenizer.decode(own) === decoded
  })
  verdict(equal.length === samples.length, `tokenizer: ${equal.length} of ${samples.length} equal`)
}

async function verifyFloat(
  path: string,
  reference: Reference,
  exactLogits: string | undefined,
): Promise<void> {
  const model = await LlamaForCausalLM.fromPretrained(directory(path))
  const source = await fileSource(exactLogits ?? join(path, 'reference_logits.safetensors'))
  const file = await openSafetensors(source)
  const expected = await readFloat32(await file.read('logits/float32'))
  await file.close()
  const logits = await readFloat32(model.forward(reference.prompt_ids))
  const difference = maxAbsoluteDifference(expected, logits)
  const relative = maxRelativeToPeak(expected, logits).toExponential(1)
  const tolerance = LOGITS_TOLERANCE[exactLogits ? 'float32' : 'tf32']
  verdict(
    difference <= tolerance,
    `float32 logits off by ${difference.toExponential(1)} of ${tolerance} (${relative} of the largest)`,
  )
  const greedy = reference.greedy['float32'] as readonly number[]
  const ids = [...reference.prompt_ids]
  const maxNewTokens = greedy.length - ids.length
  for await (const id of model.generate(reference.prompt_ids, { maxNewTokens, stopIds: [] })) {
    ids.push(id)
  }
  verdict(ids.join() === greedy.join(), `greedy: ${maxNewTokens} tokens equal`)
}

function verdict(holds: boolean, text: string): void {
  if (!holds) failures++
  console.log(`  ${holds ? 'ok  ' : 'FAIL'} ${text}`)
}

/** @file Models that transformers quantized and saved by torchao: opened, and made again. */

import { cpu, hostArray, isTensorSubclass, type Tensor } from '@ao/base-tensor'
import { LlamaForCausalLM } from '@ao/llama'
import { quantize_, quantizeStateDict, readQuantizationConfig } from '@ao/quantize'
import { openCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { readRawSafetensors, sharedPath } from '@ao/test-data'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { logitsNmse } from './reference-logits.ts'
import { aoJson, temporaryFolder } from './run-cli.ts'
import { CONFIGS, FORMATS } from '../src/formats.ts'

const reference = sharedPath('reference')
const NAMES = ['llama-8da4w', 'llama-8da4w-embed8', 'llama-intx-int2', 'llama-intx-int3-asym']

function readJson(path: string): any {
  return JSON.parse(readFileSync(path, 'utf8'))
}

function partsOf(tensor: Tensor): Readonly<Record<string, Tensor>> {
  return isTensorSubclass(tensor) ? tensor.flatten().tensors : { tensor }
}

function expectSame(made: ReadonlyMap<string, Tensor>, stored: ReadonlyMap<string, Tensor>): void {
  expect([...made.keys()]).toEqual([...stored.keys()])
  for (const [name, tensor] of made) {
    const other = stored.get(name) as Tensor
    expect(String(tensor)).toBe(String(other))
    for (const [part, own] of Object.entries(partsOf(tensor))) {
      const expected = hostArray(partsOf(other)[part] as Tensor)
      const isEqual = hostArray(own).every((x: number | bigint, i: number) => x === expected[i])
      expect(isEqual, `${name} ${part}`).toBe(true)
    }
  }
}

describe.skipIf(!reference).each(NAMES)('%s of ../shared/reference', (name) => {
  const folder = join(reference ?? '', 'quantized', name)
  const base = join(reference ?? '', 'base/llama')
  const load = (path: string): Promise<LlamaForCausalLM> =>
    LlamaForCausalLM.fromPretrained(directory(path), { formats: FORMATS, dtype: 'bfloat16' })
  const quantization = () =>
    readQuantizationConfig(readJson(join(folder, 'config.json')), {
      configs: CONFIGS,
      formats: FORMATS,
    })!

  it('gives its logits', async () => {
    const error = await logitsNmse(folder, cpu)
    expect(error).toBeLessThan(name.includes('8da4w') ? 5e-3 : 1e-3)
  })

  it('is made again, to the bit, from the model and from its tensors', async () => {
    const stored = (await load(folder)).stateDict()
    const model = await load(base)
    await quantize_(model, quantization())
    expectSame(model.stateDict(), stored)
    const checkpoint = await openCheckpoint(directory(base))
    const entries = new Map<string, Tensor>()
    for await (const [key, tensor] of checkpoint.entries()) entries.set(key, tensor)
    const { stateDict } = await quantizeStateDict(entries, quantization())
    for (const key of stateDict.keys()) {
      const [made, other] = [stateDict.get(key), stored.get(key)] as [Tensor, Tensor]
      expectSame(new Map([[key, made]]), new Map([[key, other]]))
    }
    await checkpoint.close()
  })
})

/** Phi-3's output head has a weight of its own, which is quantized as all linear layers are. */
const FILES = [...NAMES, 'phi3-8da4w-embed8']

describe.skipIf(!reference).each(FILES)('%s of ../shared/reference', (name) => {
  it('is made again by ao quantize from its config.json, which comes out, too', async () => {
    const folder = join(reference ?? '', 'quantized', name)
    const base = join(reference ?? '', 'base', name.replace(/-.*/, ''))
    const out = join(temporaryFolder(), 'out')
    const config = join(folder, 'config.json')
    await aoJson(['quantize', base, '--config', config, '--out', out])
    const { quantization_config: expected } = readJson(config)
    expect(readJson(join(out, 'config.json')).quantization_config).toEqual(expected)
    const made = readRawSafetensors(join(out, 'model.safetensors'))
    const stored = readRawSafetensors(join(folder, 'model.safetensors'))
    // transformers writes a tied head again where it is quantized, and describes it where it is not.
    const isTied = readJson(config).tie_word_embeddings
    const own = [...stored.tensors].filter(([key]) => !isTied || !key.startsWith('lm_head.'))
    expect(new Map([...made.tensors].sort())).toEqual(new Map(own.sort()))
    for (const [key, text] of Object.entries(made.metadata)) {
      if (key === 'tensor_names') continue
      expect(text, key).toBe(stored.metadata[key])
    }
  })
})

/** @file Gemma 3: norms of queries and keys, and other rotations in layers with a sliding window. */

import { parseRopeByLayerType, type ConfigFields, type RopeConfig } from '@ao/text-generation'
import type { CausalLMConfig } from '../config.ts'
import type { CausalLMFamily } from '../family.ts'
import { fieldNames } from '../fields.ts'
import { parseWindow, parseWindows, ropesOf, windowsOf } from '../shape.ts'
import { gemmaBranches, parseGemma } from './gemma.ts'

const GLOBAL_THETA = 1_000_000
const LOCAL_THETA = 10_000

/** Gemma 3, and the text part of those that see. */
export const gemma3: CausalLMFamily = {
  modelTypes: ['gemma3_text', 'gemma3'],
  architectures: ['Gemma3ForCausalLM', 'Gemma3TextModel', 'Gemma3ForConditionalGeneration'],
  parse: (fields) => {
    const text = fields.get('model_type') === 'gemma3' ? fields.child('text_config') : undefined
    text?.choice('model_type', ['gemma3_text'], 'gemma3_text')
    const config = parseText(text ?? fields)
    const eosTokenIds = fields.ids('eos_token_id', config.eosTokenIds)
    return { ...config, eosTokenIds }
  },
  fields: {
    harmless: fieldNames(`vision_config mm_tokens_per_image boi_token_index eoi_token_index
      image_token_index image_token_id boi_token_id eoi_token_id`),
    inactive: { use_bidirectional_attention: [false] },
  },
  branches: gemmaBranches,
  sources: (parameter) => {
    const rest = parameter.replace(/^model\./, '')
    const text = ['language_model.model.', 'model.language_model.'].map((start) => start + rest)
    const head = parameter === 'lm_head.weight' ? ['language_model.lm_head.weight'] : []
    return [...head, ...text].map((key) => ({ keys: [[key]] }))
  },
  unused: /(^|\.)(vision_tower|multi_modal_projector)\./,
}

function parseText(fields: ConfigFields): CausalLMConfig {
  const byType = parseRopeByLayerType(fields, {
    full_attention: { theta: GLOBAL_THETA },
    sliding_attention: { theta: LOCAL_THETA },
  })
  const config = parseGemma(
    fields,
    {
      ...{ vocabSize: 262208, hiddenSize: 2304, intermediateSize: 9216, numLayers: 26 },
      ...{ numHeads: 8, numKeyValueHeads: 4, maxPositions: 131072, theta: GLOBAL_THETA },
    },
    { attention: undefined, final: undefined },
  )
  const interval = fields.size('_sliding_window_pattern', 6, 1024)
  const pattern = fields.size('sliding_window_pattern', interval, 1024)
  const window = parseWindow(fields, 4096)
  const windows = parseWindows(fields, config, window, (layer) => (layer + 1) % pattern !== 0)
  const local: RopeConfig = byType?.sliding_attention ?? {
    type: 'default',
    theta: fields.number('rope_local_base_freq', LOCAL_THETA, 1, 1e30),
  }
  const rope = byType?.full_attention ?? config.rope
  const ropes = ropesOf(windows, (own) => (own === undefined ? rope : local))
  return { ...config, rope, qkNorm: 'head', ...windowsOf(config, windows), ...ropes }
}

/** @file SmolLM3: every fourth layer without rotations. */

import type { CausalLMFamily } from '../family.ts'
import { parseOptionalWindows, parseShape, ropesOf } from '../shape.ts'

/** SmolLM3. */
export const smollm3: CausalLMFamily = {
  modelTypes: ['smollm3'],
  architectures: ['SmolLM3ForCausalLM', 'SmolLM3Model'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 128256, hiddenSize: 2048, intermediateSize: 11008, numLayers: 36 },
      ...{ numHeads: 16, numKeyValueHeads: 4, maxPositions: 32768, rmsNormEps: 1e-6 },
      ...{ theta: 2_000_000, eosTokenIds: [128001], isTied: true },
    })
    const interval = fields.size('no_rope_layer_interval', 4, 1024)
    const turns = fields
      .layers<unknown>('no_rope_layers', shape.numLayers, [0, 1, false, true], (layer) =>
        Number((layer + 1) % interval !== 0),
      )
      .map(Boolean)
    const ropes = turns.includes(false)
      ? ropesOf(turns, (isTurning) => (isTurning ? shape.rope : { type: 'none' }))
      : {}
    return {
      ...shape,
      mlpBias: fields.boolean('mlp_bias', false),
      ...ropes,
      ...parseOptionalWindows(fields, shape, (layer) => turns[layer] === false),
    }
  },
}

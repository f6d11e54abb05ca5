/** @file Phi-3 to Phi-4: fused projections, and heads of which a part turns. */

import { parsePartialRotary } from '@ao/text-generation'
import type { CausalLMFamily } from '../family.ts'
import { parseShape, parseWindow, windowsOf } from '../shape.ts'

/** Phi-3, Phi-3.5, Phi-4 and Phi-4-mini. */
export const phi3: CausalLMFamily = {
  modelTypes: ['phi3'],
  architectures: ['Phi3ForCausalLM', 'Phi3Model'],
  parse: (fields) => {
    const shape = parseShape(fields, {
      ...{ vocabSize: 32064, hiddenSize: 3072, intermediateSize: 8192, numLayers: 32 },
      ...{ numHeads: 32, maxPositions: 4096, rmsNormEps: 1e-5, theta: 10000 },
      eosTokenIds: [32000],
    })
    const window = parseWindow(fields)
    return {
      ...shape,
      isFused: true,
      rotaryDim: Math.floor(shape.headDim * parsePartialRotary(fields)),
      ...windowsOf(shape, new Array(shape.numLayers).fill(window)),
    }
  },
}

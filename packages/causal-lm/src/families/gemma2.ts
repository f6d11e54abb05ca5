/** @file Gemma 2: soft caps, and a sliding window in every other layer. */

import type { CausalLMFamily } from '../family.ts'
import { parseWindow, parseWindows, windowsOf } from '../shape.ts'
import { gemmaBranches, parseGemma } from './gemma.ts'

/** Gemma 2. */
export const gemma2: CausalLMFamily = {
  modelTypes: ['gemma2'],
  architectures: ['Gemma2ForCausalLM', 'Gemma2Model'],
  parse: (fields) => {
    const config = parseGemma(
      fields,
      {
        ...{ vocabSize: 256000, hiddenSize: 2304, intermediateSize: 9216, numLayers: 26 },
        ...{ numHeads: 8, numKeyValueHeads: 4, maxPositions: 8192, theta: 10000 },
      },
      { attention: 50, final: 30 },
    )
    const window = parseWindow(fields, 4096)
    const windows = parseWindows(fields, config, window, (layer) => layer % 2 === 0)
    return { ...config, ...windowsOf(config, windows) }
  },
  branches: gemmaBranches,
}

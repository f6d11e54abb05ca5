/** @file All families that `ao` knows. */

import { decoderFamilies } from './decoder-families.ts'
import { encoderFamilies } from './encoder-families.ts'
import type { ModelFamily } from './model-family.ts'

/** Tables of the model families that are known here, for `tensorRoles`. */
export const MODEL_FAMILIES: readonly ModelFamily[] = /* @__PURE__ */ allFamilies()

function allFamilies(): ModelFamily[] {
  return [...decoderFamilies(), ...encoderFamilies()]
}

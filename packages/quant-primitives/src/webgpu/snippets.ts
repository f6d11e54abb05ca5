/** @file WGSL that stands in front of kernels. */

import { numbersWgsl } from '@ao/kernels-webgpu'
import affineRules from './affine-rules.wgsl'
import elements from './elements.wgsl'
import exact from './exact.wgsl'
import rangeToQparams from './range-to-qparams.wgsl'

/** Exact `divide` and `multiply`, and the elements of words: `value_int8`, `bits_bfloat16`, .... */
export const arithmeticWgsl: string = /* @__PURE__ */ [numbersWgsl, exact, elements].join('\n')

/** {@link arithmeticWgsl}, and what rules have in common. */
export const rangeToQparamsWgsl: string = /* @__PURE__ */ [arithmeticWgsl, rangeToQparams].join(
  '\n',
)

/** `rangeToQparamsWgsl`, and `qparams_of` a block's range by the rule of a mapping; takes {@link ruleDefines}. */
export const qparamsWgsl: string = /* @__PURE__ */ [rangeToQparamsWgsl, affineRules].join('\n')

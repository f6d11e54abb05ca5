/** @file WGSL that stands in front of kernels. */

import { numbersWgsl } from '@ao/kernels-webgpu'
import elements from './elements.wgsl'
import exact from './exact.wgsl'
import rules from './rules.wgsl'

/** Exact `divide` and `multiply`, and the elements of words: `value_int8`, `bits_bfloat16`, .... */
export const arithmeticWgsl: string = /* @__PURE__ */ [numbersWgsl, exact, elements].join('\n')

/** {@link arithmeticWgsl}, and `qparams_of` a block's range; takes {@link ruleDefines}. */
export const qparamsWgsl: string = /* @__PURE__ */ [arithmeticWgsl, rules].join('\n')

/** @file A decoder's WGSL, with what its functions need before them, and those that it leaves out. */

import { numbersWgsl } from '@ao/kernels-webgpu'
import codes from './wgsl/codes.wgsl'
import output from './wgsl/output.wgsl'
import floats from './wgsl/floats.wgsl'
import params from './wgsl/params.wgsl'
import tensor from './wgsl/tensor.wgsl'

/** `name4` and `name1` of a tensor, where there is one. */
/* @__NO_SIDE_EFFECTS__ */
export function readerWgsl(name: string): string {
  return `#if ${name}\n${tensor.replaceAll('PART', name)}\n#endif`
}

/** What every kernel begins with. */
export const startWgsl: string = /* @__PURE__ */ [floats, params].join('\n')

/** What every kernel has that writes results. */
export const outputWgsl: string = /* @__PURE__ */ [
  /* @__PURE__ */ readerWgsl('bias'),
  /* @__PURE__ */ readerWgsl('residual'),
  output,
].join('\n')

/** What of a decoder is WGSL that reads a weight. */
interface DecoderWgsl {
  readonly parts: readonly string[]
  readonly wgsl: string
}

/** What reads a weight: all functions of the contract. */
/* @__NO_SIDE_EFFECTS__ */
export function weightWgsl({ parts, wgsl }: DecoderWgsl): string {
  return [numbersWgsl, startWgsl, ...parts.map(readerWgsl), codes, wgsl].join('\n')
}

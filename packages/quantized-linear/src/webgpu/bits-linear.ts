/** @file Products with codes of 1 to 8 bits: how they are read, and the kernels of {@link bitsLinear}. */

import { takes, type DenseTensor, type Tensor } from '@ao/base-tensor'
import { kernel, type GPU, type KernelSet, type Variant } from '@ao/kernels-webgpu'
import { liesAlongN } from '../bits/layout.ts'
import { bitsLinear, bitsSize, type BitsForm, type BitsWeight } from '../bits/linear.ts'
import { bitsDecoder } from './bits.ts'
import { bitsPackKernels } from './bits-pack.ts'
import { linearPrograms, type LinearPrograms, type StoredWeight } from './decoder.ts'
import { int4Decoder } from './int4.ts'
import { int8Decoder } from './int8.ts'
import { linearVariants } from './linear.ts'
import { floatMatrices } from './matrices.ts'
import type { LinearTuningOptions } from './tuning.ts'
import type { LinearProduct } from './variants.ts'
import level from './wgsl/bits-level.wgsl'
import qparams from './wgsl/bits-qparams.wgsl'

const parts = ['scale', 'zero'] as const

/** How codes of a byte, of four bits, and of other numbers of bits are read. */
const DECODERS = {
  bytes: /* @__PURE__ */ int8Decoder({ name: 'bits_bytes', parts, wgsl: qparams }),
  nibbles: /* @__PURE__ */ int4Decoder({
    ...{ name: 'bits_int4', order: 'sequential', parts, wgsl: qparams },
  }),
  // How many bits, a weight says.
  bits: /* @__PURE__ */ bitsDecoder({
    ...{ name: 'bits', bits: 1, along: 'K', parts, wgsl: level + qparams },
  }),
} as const

type Reader = keyof typeof DECODERS

function readerOf([codes]: BitsWeight, { bits }: BitsForm): Reader {
  if (codes.dtype === 'int8') return 'bytes'
  return bits === 4 ? 'nibbles' : 'bits'
}

/** A weight as kernels take it. */
export function storedBits(weight: BitsWeight, form: BitsForm): StoredWeight {
  takes('p<0 1 2>o<bits:n>', weight, form)
  const [codes, scale, zero] = weight
  const [n, k] = bitsSize(weight, form)
  const { bits, isSigned } = form
  const isAlongN = [scale, zero].every((part) => liesAlongN(part as DenseTensor))
  const [scales, zeros] = isAlongN ? [scale, zero].map(alongN) : [scale, zero]
  const hasOffset = readerOf(weight, form) === 'nibbles' && !isSigned
  return {
    ...{
      n,
      k,
      groupSize: k / (scale.shape[1] as number),
      parts: { scale: scales, zero: zeros, codes },
    },
    rowBytes: codes.nbytes / n,
    defines: {
      ...{ BITS: bits, STRADDLES: 32 % bits !== 0, SIGNED: isSigned },
      LEVEL_OFF: hasOffset ? 8 : 0,
      ALONG_N: isAlongN,
    },
  }
}

const alongN = (part: Tensor): Tensor => (part as DenseTensor).transpose(0, 1)

/** Arguments of an op on such weights. */
export type BitsArgs = readonly [Tensor, BitsWeight, BitsForm, ...(readonly unknown[])]

/** One of the ways to read codes. */
export interface BitsReader {
  readonly programs: LinearPrograms
  /** Variants made of these programs, for the weights that they read. */
  only<Args extends BitsArgs>(variants: readonly Variant<Args, Tensor>[]): Variant<Args, Tensor>[]
}

/** All ways to read codes. */
/* @__NO_SIDE_EFFECTS__ */
export function bitsReaders(): readonly BitsReader[] {
  return (Object.keys(DECODERS) as Reader[]).map((reader) => ({
    programs: linearPrograms(DECODERS[reader]),
    only: <Args extends BitsArgs>(variants: readonly Variant<Args, Tensor>[]) =>
      variants.map((variant) => ({
        ...variant,
        fits: (gpu: GPU, ...args: Args) =>
          args[1][0].numel > 0 &&
          readerOf(args[1], args[2]) === reader &&
          variant.fits?.(gpu, ...args) !== false,
      })),
  }))
}

/** Kernels of {@link bitsLinear} and of packing, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function bitsKernels(tuning?: LinearTuningOptions): KernelSet {
  const matrices = floatMatrices()
  const productOf = (...[x, weight, form, bias]: Parameters<typeof bitsLinear>): LinearProduct => ({
    ...{ x, weight: storedBits(weight, form), bias },
  })
  return [
    ...bitsPackKernels,
    kernel(
      bitsLinear,
      bitsReaders().flatMap(({ programs, only }) =>
        only(linearVariants(programs, productOf, tuning, matrices)),
      ),
    ),
  ]
}

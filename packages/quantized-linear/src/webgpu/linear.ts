/** @file Products of floats with quantized weights: the variants of a format's `linear` op. */

import {
  add,
  isFloatDType,
  itemSize,
  zeros,
  type DenseTensor,
  type FloatDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import type { Defines, GPU, Program, Variant } from '@ao/kernels-webgpu'
import { asFloat } from './as-float.ts'
import { Bindings, outputDefines } from './bindings.ts'
import { hasWholeChunks, weightDefines, type LinearPrograms, type StoredWeight } from './decoder.ts'
import { rowRanges } from './row-ranges.ts'
import { linearTuning, type LinearTuningOptions } from './tuning.ts'
import {
  rowsOf,
  variantsOf,
  type LinearProduct,
  type LinearVariant,
  type MoreVariants,
  type Plan,
} from './variants.ts'

/**
 * The variants of an op that multiplies with weights of one decoder, best first.
 *
 * @param productOf - what an op's arguments ask for
 * @param more - variants for what not all GPUs have
 */
/* @__NO_SIDE_EFFECTS__ */
export function linearVariants<Args extends readonly unknown[]>(
  programs: LinearPrograms,
  productOf: (...args: Args) => LinearProduct,
  options?: LinearTuningOptions,
  more?: MoreVariants,
): Variant<Args, Tensor>[] {
  takes('o<decoder:o>f', programs, productOf)
  const plans: PlanCache = new WeakMap()
  const all = variantsOf(programs, linearTuning(options), more)
  return all.map((variant) => ({
    name: variant.name,
    when: variant.when,
    fits: (gpu, ...args) => {
      const product = productOf(...args)
      return variant.fits(gpu, product) && isBindable(gpu, product)
    },
    run: (gpu, ...args) =>
      gpu.scope(() => multiply(gpu, programs, plans, productOf(...args), variant)),
  }))
}

function isBindable(gpu: GPU, product: LinearProduct): boolean {
  const { x, bias, weight, second, rmsNorm, residual } = product
  const { maxBindingSize, maxStorageBuffers } = gpu.capabilities
  const isSmall = (part: Tensor | undefined): boolean => !part || part.nbytes <= maxBindingSize
  const weights = [weight, ...(second ? [second.weight] : [])]
  const parts = weights.flatMap((each) => Object.values(each.parts))
  const bound = [...parts, x, bias, rmsNorm, residual].filter((each) => each !== undefined)
  return (
    isFloatDType(x.dtype) &&
    (!bias || isFloatDType(bias.dtype)) &&
    bound.length + 1 <= maxStorageBuffers &&
    weights.every(({ parts: { codes, ...others }, rowBytes }) => {
      return Object.values(others).every(isSmall) && (rowBytes !== undefined || isSmall(codes))
    })
  )
}

function multiply(
  gpu: GPU,
  programs: LinearPrograms,
  plans: PlanCache,
  product: LinearProduct,
  variant: LinearVariant,
): Tensor {
  const { x, weight, bias, residual, rounding } = product
  const shape = [...x.shape.slice(0, -1), weight.n]
  const dtype = x.dtype as FloatDType
  if (x.shape.at(-1) === 0) {
    const terms = [bias, residual].filter((term) => term !== undefined)
    return asFloat(terms.reduce(add, zeros(shape, dtype, x.device)), dtype)
  }
  // Two numbers of 16 bits share a word, which only one thread may write.
  const y = gpu.empty(shape, weight.n % 2 === 0 ? dtype : 'float32')
  const input = rounding ? rounding.round(gpu, x) : x
  dispatchParts(gpu, programs, plans, { ...product, x: input }, variant, y)
  return asFloat(y, dtype)
}

function dispatchParts(
  gpu: GPU,
  programs: LinearPrograms,
  plans: PlanCache,
  product: LinearProduct,
  variant: LinearVariant,
  y: DenseTensor,
): void {
  const { weight, residual } = product
  const { codes } = weight.parts
  const x = gpu.dense(wholeChunks(product.x, programs, weight))
  const bound = bindingsOf(gpu, { ...product, x }, y)
  const [xBytes, yBytes] = [rowBytesOf(x), rowBytesOf(y)]
  const residualBytes = residual ? [rowBytesOf(bound.get('residual'))] : []
  // Codes that are not in rows are bound as a whole.
  const { rowBytes = 0 } = weight
  const codeRows = rowBytes === 0 ? weight.n : codes.nbytes / rowBytes
  const parts = rowRanges(gpu, codeRows, rowBytes)
  const isFixed = rowsOf(x) === 1 && parts.length === 1
  const own = { ...product, x }
  const { program, workgroups } = planOf(gpu, programs, plans, own, variant, bound, isFixed)
  for (const inputs of rowRanges(gpu, rowsOf(x), xBytes, yBytes, ...residualBytes)) {
    for (const part of parts) {
      const rows = Math.min(part.rows, weight.n - part.first)
      if (rows <= 0) break // padding
      const codeRange = rowBytes > 0 && { ...part, bytes: rowBytes }
      gpu.dispatch(program, {
        bind: bound.bind({
          ...(codeRange && { codes: codeRange, codes_second: codeRange }),
          x: { ...inputs, bytes: xBytes },
          y: { ...inputs, bytes: yBytes },
          ...(residual && { residual: { ...inputs, bytes: residualBytes[0] as number } }),
        }),
        params: [part.first, rows, inputs.rows, 0],
        workgroups: workgroups(rows, inputs.rows),
      })
    }
  }
}

/** What programs of a product bind, in order. */
function bindingsOf(gpu: GPU, product: LinearProduct, y: DenseTensor): Bindings {
  const { x, weight, bias, rmsNorm, residual, second } = product
  const bound = new Bindings(gpu, weight.parts)
  for (const [name, part] of Object.entries(second?.weight.parts ?? {})) {
    bound.add(`${name}_second`, part)
  }
  // As in the order of WGSL, the only one that is written is the last.
  return bound
    .add('norm', rmsNorm?.weight)
    .add('x', x)
    .add('bias', bias)
    .add('residual', residual)
    .add('y', y)
}

interface PlannedProgram {
  readonly program: Program
  readonly workgroups: Plan['workgroups']
}

/** Programs of products with a weight, by its codes: finding one takes longer than recording its call. */
type PlanCache = WeakMap<Tensor, Map<string, PlannedProgram>>

function planOf(
  gpu: GPU,
  programs: LinearPrograms,
  plans: PlanCache,
  product: LinearProduct,
  variant: LinearVariant,
  bound: Bindings,
  isFixed: boolean,
): PlannedProgram {
  const { x, weight } = product
  const { codes } = weight.parts
  const key = `${variant.name}|${rowsOf(x)}|${bound.key}`
  let own = plans.get(codes)
  if (!own) plans.set(codes, (own = new Map()))
  let found = own.get(key)
  if (!found) {
    const { program, defines, workgroups } = variant.plan(gpu, product)
    const all = {
      ...weightDefines(programs.decoder, weight),
      ...bound.defines,
      ...productDefines(product, bound),
      FIXED_ROWS: isFixed && weight.n,
      ...defines,
    }
    found = { program: program(all), workgroups }
    own.set(key, found)
  }
  return found
}

function productDefines(product: LinearProduct, bound: Bindings): Defines {
  const { x, rmsNorm, second } = product
  return {
    X_BINDING: bound.at('x'),
    X_DTYPE: x.dtype,
    STORED: rmsNorm ? 'stored_' : '',
    NORM: rmsNorm !== undefined,
    ...outputDefines(bound),
    SECOND: second !== undefined,
    JOIN: second ? second.join : false,
  }
}

const rowBytesOf = ({ shape, dtype }: DenseTensor): number =>
  (shape.at(-1) as number) * itemSize(dtype)

/** `x` with zeros after each row, where chunks do not divide it. */
function wholeChunks(x: Tensor, { decoder }: LinearPrograms, weight: StoredWeight): Tensor {
  const k = x.shape.at(-1) as number
  const { chunk } = decoder
  if (k % chunk === 0 || !hasWholeChunks(decoder, weight)) return x
  const padded = zeros(x.shape.with(-1, Math.ceil(k / chunk) * chunk), x.dtype, x.device)
  padded.narrow(-1, 0, k).copy_(x)
  return padded
}

/** @file Products with int4 weights: the variants of a format's `linear` op. */

import {
  add,
  cast,
  isFloatDType,
  itemSize,
  zeros,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import type { GPU, Program, Variant } from '@ao/kernels-webgpu'
import { Bindings, outputDefines, rowRanges } from './bindings.ts'
import { roundRowsToFloat8 } from './float8.ts'
import { weightDefines, type Int4Programs } from './layout.ts'
import { int4Tuning, type Int4TuningOptions } from './tuning.ts'
import { linearWays, rowsOf, type Int4Product, type Plan, type Way } from './ways.ts'

/**
 * The variants of an op that multiplies with weights of one layout, best first.
 *
 * @param productOf - what an op's arguments ask for
 */
/* @__NO_SIDE_EFFECTS__ */
export function int4LinearVariants<Args extends readonly unknown[]>(
  programs: Int4Programs,
  productOf: (...args: Args) => Int4Product,
  options?: Int4TuningOptions,
): Variant<Args, Tensor>[] {
  const plans: PlanCache = new WeakMap()
  return linearWays(programs, int4Tuning(options)).map((way) => ({
    name: way.name,
    when: way.when,
    fits: (gpu, ...args) => {
      const product = productOf(...args)
      return way.fits(gpu, product) && isBindable(gpu, product)
    },
    run: (gpu, ...args) => gpu.scope(() => multiply(gpu, programs, plans, productOf(...args), way)),
  }))
}

function isBindable(gpu: GPU, { x, bias, weight }: Int4Product): boolean {
  const { codes: _codes, ...others } = weight.parts
  return (
    isFloatDType(x.dtype) &&
    (!bias || isFloatDType(bias.dtype)) &&
    Object.values(others).every((part) => !part || part.nbytes <= gpu.capabilities.maxBindingSize)
  )
}

function multiply(
  gpu: GPU,
  programs: Int4Programs,
  plans: PlanCache,
  product: Int4Product,
  way: Way,
): Tensor {
  const { x, weight, bias, inputDtype } = product
  const shape = [...x.shape.slice(0, -1), weight.n]
  const dtype = x.dtype as FloatDType
  if (x.shape.at(-1) === 0) {
    const sums = zeros(shape, dtype, x.device)
    return bias ? as(add(sums, bias), dtype) : sums
  }
  // Two numbers of 16 bits share a word, which only one thread may write.
  const y = gpu.empty(shape, weight.n % 2 === 0 ? dtype : 'float32')
  const rounded: Int4Product = {
    ...product,
    x: inputDtype === 'float8_e4m3fn' ? roundRowsToFloat8(gpu, x) : as(x, inputDtype ?? dtype),
  }
  dispatchParts(gpu, programs, plans, rounded, way, y)
  return as(y, dtype)
}

const as = (tensor: Tensor, dtype: StoredDType): Tensor =>
  tensor.dtype === dtype ? tensor : cast(tensor, dtype)

function dispatchParts(
  gpu: GPU,
  programs: Int4Programs,
  plans: PlanCache,
  product: Int4Product,
  way: Way,
  y: DenseTensor,
): void {
  const { weight, bias } = product
  const x = gpu.dense(wholePieces(product.x, weight.groupSize % 32 === 0))
  const bound = new Bindings(gpu, weight.parts).add('x', x).add('bias', bias).add('y', y)
  const [xBytes, yBytes] = [rowBytesOf(x), rowBytesOf(y)]
  const codeRows = weight.parts.codes.nbytes / weight.rowBytes
  const parts = rowRanges(gpu, codeRows, weight.rowBytes)
  const isFixed = rowsOf(x) === 1 && parts.length === 1
  const own = { ...product, x }
  const { program, workgroups } = planOf(gpu, programs, plans, own, way, bound, isFixed)
  for (const inputs of rowRanges(gpu, rowsOf(x), xBytes, yBytes)) {
    for (const part of parts) {
      const rows = Math.min(part.rows, weight.n - part.first)
      if (rows <= 0) break // padding
      gpu.dispatch(program, {
        bind: bound.bind({
          codes: { ...part, bytes: weight.rowBytes },
          x: { ...inputs, bytes: xBytes },
          y: { ...inputs, bytes: yBytes },
        }),
        params: [part.first, rows, inputs.rows, 0],
        workgroups: workgroups(rows, inputs.rows),
      })
    }
  }
}

interface PlannedProgram {
  readonly program: Program
  readonly workgroups: Plan['workgroups']
}

/** Programs of products with a weight, by its codes: finding one takes longer than recording its call. */
type PlanCache = WeakMap<Tensor, Map<string, PlannedProgram>>

function planOf(
  gpu: GPU,
  programs: Int4Programs,
  plans: PlanCache,
  product: Int4Product,
  way: Way,
  bound: Bindings,
  isFixed: boolean,
): PlannedProgram {
  const { x, weight } = product
  const { codes } = weight.parts
  const key = `${way.name}|${rowsOf(x)}|${bound.key}`
  let own = plans.get(codes)
  if (!own) plans.set(codes, (own = new Map()))
  let found = own.get(key)
  if (!found) {
    const { program, defines, workgroups } = way.plan(gpu, product)
    const numbers = {
      X_BINDING: bound.at('x'),
      X_DTYPE: x.dtype,
      ...outputDefines(bound),
      FIXED_ROWS: isFixed && weight.n,
    }
    const all = { ...weightDefines(programs, weight), ...bound.defines, ...numbers, ...defines }
    found = { program: program(all), workgroups }
    own.set(key, found)
  }
  return found
}

const rowBytesOf = ({ shape, dtype }: DenseTensor): number =>
  (shape.at(-1) as number) * itemSize(dtype)

/** `x` with zeros after each row, where pieces of 32 do not divide it. */
function wholePieces(x: Tensor, hasPieces: boolean): Tensor {
  const k = x.shape.at(-1) as number
  if (!hasPieces || k % 32 === 0) return x
  const padded = zeros(x.shape.with(-1, Math.ceil(k / 32) * 32), x.dtype, x.device)
  padded.narrow(-1, 0, k).copy_(x)
  return padded
}

/**
 * @file What every quantized tensor format must do, as tests.
 *
 * The counterpart of torchao's `TorchAOBasicTestCase` and its vLLM tests. A format package calls
 * {@link testFormat} with its class and ways to make it. Types are structural: this package imports none
 * of those that it tests.
 */

import { describe, expect, it } from 'vitest'
import { sqnr } from './measures.ts'
import { normalNumbers } from './random.ts'

/** What the suite uses of a tensor. */
export interface TestTensor {
  readonly shape: readonly number[]
  readonly dtype: string
  readonly nbytes: number
  slice(dim: number, start?: number, end?: number): TestTensor
  select(dim: number, index: number): TestTensor
  transpose(dim0: number, dim1: number): TestTensor
  clone(): TestTensor
  detach(): TestTensor
  contiguous(): TestTensor
  copy_(source: TestTensor): unknown
  toString(): string
}

/** What the suite uses of a quantized tensor. */
export interface TestQuantized extends TestTensor {
  dequantize(): TestTensor
  flatten(): {
    readonly tensors: Readonly<Record<string, TestTensor>>
    readonly attributes: Readonly<Record<string, unknown>>
  }
}

/** What the suite uses of a format's class. */
export interface TestFormatClass {
  readonly formatName: string
  readonly tensorDataNames: readonly string[]
  readonly optionalTensorDataNames: readonly string[]
  readonly tensorAttributeNames: readonly string[]
  readonly optionalTensorAttributeNames: readonly string[]
  readonly attributeCodecs: Readonly<Record<string, object>>
  readonly ops: readonly { readonly opName: string }[]
  unflatten(tensors: any, attributes: any): TestQuantized
}

/** What the suite uses of `@ao/base-tensor`: pass `import * as base`. */
export interface TestBase {
  readonly meta: unknown
  encodeJson(codec: any, value: unknown, dialect: 'metadata'): unknown
  decodeJson(codec: any, json: any, path: string): unknown
  defineOp(definition: { name: string; reference: (tensor: any) => any }): (tensor: any) => unknown
  tensor(values: Float32Array, options: { shape: readonly number[]; dtype: any }): TestTensor
  zeros(shape: readonly number[], dtype: any, device: any): TestTensor
  hostArray(tensor: TestTensor): ArrayLike<number | bigint>
  hostFloat32(tensor: TestTensor): Float32Array
  linear(x: TestTensor, weight: TestTensor, bias?: TestTensor): TestTensor
  chunk(tensor: TestTensor, chunks: number, dim?: number): TestTensor[]
  cat(tensors: readonly TestTensor[], dim?: number): TestTensor
}

/** One way to make tensors of the format. */
export interface FormatVariant {
  readonly name: string
  /** Quantizes a dense weight (N, K); must also work on tensors of the `meta` device. */
  fromHp(weight: any): TestQuantized
  /** N and K of the weights to test with. */
  readonly shape: readonly [number, number]
  /** Slices of each dimension begin and end at multiples of these. */
  readonly sliceSteps: readonly [number, number]
  /** The least SQNR, in dB, of the dequantized weight against the original, which is normal. */
  readonly weightSqnr: number
  /** The least SQNR of `linear` against that of the original weight. */
  readonly linearSqnr: number
  /** Dtypes of weights and activations; all three unless given. */
  readonly dtypes?: readonly string[]
}

/** Tests a format, in each of its variants. */
export function testFormat(
  base: TestBase,
  format: TestFormatClass,
  variants: readonly FormatVariant[],
): void {
  describe.each(variants)(`${format.formatName}, $name`, (variant) => {
    const dtypes = variant.dtypes ?? ['float32', 'float16', 'bfloat16']
    const context = { base, format, variant, dtype: dtypes[0] as string }
    describe.each(dtypes)('%s', (dtype) => testNumbers({ ...context, dtype }))
    testParts(context)
    testCopies(context)
    testMeta(context)
    if (hasOp(format, 'slice')) testSlices(context)
    if (hasOp(format, 'transpose')) testTranspose(context)
  })
}

interface Context {
  readonly base: TestBase
  readonly format: TestFormatClass
  readonly variant: FormatVariant
  readonly dtype: string
}

function hasOp(format: TestFormatClass, opName: string): boolean {
  for (let type = format; type?.ops; type = Object.getPrototypeOf(type) as TestFormatClass) {
    if (type.ops.some((op) => op.opName === opName)) return true
  }
  return false
}

function normal({ base, dtype }: Context, shape: readonly number[], seed: number): TestTensor {
  const numel = shape.reduce((product, size) => product * size, 1)
  return base.tensor(normalNumbers(numel, seed), { shape, dtype })
}

function weightOf(context: Context, seed = 1): { hp: TestTensor; weight: TestQuantized } {
  const hp = normal(context, context.variant.shape, seed)
  return { hp, weight: context.variant.fromHp(hp) }
}

function expectEqual({ base }: Context, a: TestTensor, b: TestTensor): void {
  expect(a.shape).toEqual(b.shape)
  expect(a.dtype).toBe(b.dtype)
  expect(base.hostArray(a)).toEqual(base.hostArray(b))
}

function expectSameParts(context: Context, a: TestQuantized, b: TestQuantized): void {
  const [parts, others] = [a.flatten(), b.flatten()]
  expect(parts.attributes).toEqual(others.attributes)
  expect(Object.keys(parts.tensors)).toEqual(Object.keys(others.tensors))
  for (const [name, tensor] of Object.entries(parts.tensors)) {
    expectEqual(context, tensor, others.tensors[name] as TestTensor)
  }
}

function testNumbers(context: Context): void {
  const { base, variant, dtype } = context
  const [n, k] = variant.shape

  it('stands for the weight that it was made from', () => {
    const { hp, weight } = weightOf(context)
    expect(weight.shape).toEqual(hp.shape)
    expect(weight.dtype).toBe(dtype)
    const values = weight.dequantize()
    expect(values.dtype).toBe(dtype)
    expect(values.shape).toEqual(hp.shape)
    const error = sqnr(base.hostFloat32(hp), base.hostFloat32(values))
    expect(error).toBeGreaterThan(variant.weightSqnr)
  })

  it('multiplies inputs of any rank, with and without bias', () => {
    const { hp, weight } = weightOf(context)
    const bias = normal(context, [n], 2)
    for (const lead of [[], [1], [5], [2, 3]]) {
      const x = normal(context, [...lead, k], 3)
      for (const add of [undefined, bias]) {
        const y = base.linear(x, weight, add)
        const reference = base.linear(x, hp, add)
        expect(y.shape).toEqual([...lead, n])
        expect(y.dtype).toBe(dtype)
        const error = sqnr(base.hostFloat32(reference), base.hostFloat32(y))
        expect(error).toBeGreaterThan(variant.linearSqnr)
      }
    }
  })
}

function testParts(context: Context): void {
  const { base, format } = context

  it('comes back from its parts', () => {
    const { weight } = weightOf(context)
    const { tensors, attributes } = weight.flatten()
    const again = format.unflatten(tensors, attributes)
    expectSameParts(context, again, weight)
    expectEqual(context, again.dequantize(), weight.dequantize())
    for (const name of format.tensorDataNames) expect(tensors[name]).toBeDefined()
    const known = [...format.tensorDataNames, ...format.optionalTensorDataNames]
    expect(known).toEqual(expect.arrayContaining(Object.keys(tensors)))
    const names = [...format.tensorAttributeNames, ...format.optionalTensorAttributeNames]
    expect(Object.keys(attributes).sort()).toEqual([...names].sort())
    const bytes = Object.values(tensors).reduce((sum, tensor) => sum + tensor.nbytes, 0)
    expect(weight.nbytes).toBe(bytes)
  })

  it('refuses parts that lack a required one', () => {
    const { tensors, attributes } = weightOf(context).weight.flatten()
    for (const name of format.tensorDataNames) {
      expect(() => format.unflatten({ ...tensors, [name]: undefined }, attributes)).toThrow()
    }
    for (const name of Object.keys(attributes)) {
      const { [name]: _, ...others } = attributes
      expect(() => format.unflatten(tensors, others)).toThrow(name)
    }
  })

  it('writes its attributes as JSON and reads them back', () => {
    const { weight } = weightOf(context)
    const { tensors, attributes } = weight.flatten()
    const read = Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => {
        const codec = format.attributeCodecs[name]
        const json = JSON.stringify(base.encodeJson(codec, value, 'metadata'))
        return [name, base.decodeJson(codec, JSON.parse(json), name)]
      }),
    )
    expectSameParts(context, format.unflatten(tensors, read), weight)
  })

  it('prints its name and parts', () => {
    const { weight } = weightOf(context)
    expect(weight.toString()).toContain(format.formatName)
    for (const name of format.tensorDataNames) expect(weight.toString()).toContain(name)
  })

  it('names what it can do when asked for something else', () => {
    const { weight } = weightOf(context)
    const unknown = base.defineOp({ name: 'test.unknown', reference: () => weight })
    expect(() => unknown(weight)).toThrow(format.formatName)
    for (const { opName } of format.ops) expect(() => unknown(weight)).toThrow(opName)
  })
}

function testCopies(context: Context): void {
  const { format } = context

  it('shares storage when detached, not when cloned', () => {
    const { weight } = weightOf(context)
    const other = weightOf(context, 2).weight
    const before = weight.clone() as TestQuantized
    const clone = weight.clone() as TestQuantized
    const detached = weight.detach() as TestQuantized
    weight.copy_(other)
    expectSameParts(context, weight, other)
    expectSameParts(context, detached, other)
    expectSameParts(context, clone, before)
    expectSameParts(context, weight.contiguous() as TestQuantized, other)
  })

  it('is copied into by its own kind only', () => {
    const { weight, hp } = weightOf(context)
    const before = weight.clone() as TestQuantized
    const { tensors, attributes } = weightOf(context, 2).weight.flatten()
    const optional = format.optionalTensorDataNames.find((name) => tensors[name])
    expect(() => weight.copy_(hp)).toThrow('copy_')
    if (optional) {
      const without = { ...tensors, [optional]: undefined }
      expect(() => weight.copy_(format.unflatten(without, attributes))).toThrow(optional)
    }
    expectSameParts(context, weight, before)
  })
}

function testMeta(context: Context): void {
  const { base, variant, dtype } = context

  it('is planned on the meta device: shapes and dtypes without numbers', () => {
    const { weight } = weightOf(context)
    const planned = variant.fromHp(base.zeros(variant.shape, dtype, base.meta))
    const describeParts = ({
      tensors,
      attributes,
    }: ReturnType<TestQuantized['flatten']>): unknown => [
      Object.entries(tensors).map(([name, { shape, dtype }]) => [name, shape, dtype]),
      attributes,
    ]
    expect(describeParts(planned.flatten())).toEqual(describeParts(weight.flatten()))
    const x = base.zeros([2, variant.shape[1]], dtype, base.meta)
    expect(base.linear(x, planned).shape).toEqual([2, variant.shape[0]])
  })
}

function testSlices(context: Context): void {
  const { base, format, variant } = context

  it('slices as its values do', () => {
    const { weight } = weightOf(context)
    for (const dim of [0, 1]) {
      for (const [start, end] of rangesOf(context, dim)) {
        const part = weight.slice(dim, start, end) as TestQuantized
        const values = weight.dequantize().slice(dim, start, end).contiguous()
        expectEqual(context, part.dequantize(), values)
      }
    }
  })

  it.each([0, 1])('is loaded part by part along dimension %s, as vLLM does', (dim) => {
    const { weight } = weightOf(context)
    const other = weightOf(context, 2).weight
    const size = variant.shape[dim] as number
    const half = halfOf(context, dim)
    for (const [start, end] of [
      [0, half],
      [half, size],
    ] as const) {
      const source = other.slice(dim, start, end) as TestQuantized
      const target = weight.slice(dim, start, end) as TestQuantized
      target.copy_(source)
      expectSameParts(context, target, source)
      // What was written into the view is in the weight.
      const loaded = weight.dequantize().slice(dim, start, end).contiguous()
      expectEqual(context, loaded, other.dequantize().slice(dim, start, end).contiguous())
    }
    expectSameParts(context, weight, other)
  })

  it('refuses to copy between parts of different sizes', () => {
    const { weight } = weightOf(context)
    const half = halfOf(context, 0)
    const part = weight.slice(0, 0, half)
    expect(() => part.copy_(weight)).toThrow('copy_')
  })

  if (hasOp(format, 'cat')) {
    it.each([0, 1])('joins what was cut along dimension %s', (dim) => {
      const { weight } = weightOf(context)
      const joined = base.cat(base.chunk(weight, 2, dim), dim) as TestQuantized
      expectEqual(context, joined.dequantize(), weight.dequantize())
    })
  }

  // Where rows share tiles, select is for experts only.
  if (hasOp(format, 'select') && variant.sliceSteps[0] === 1) {
    it('selects rows as its values do', () => {
      const { weight } = weightOf(context)
      for (const row of [0, variant.shape[0] - 1, -1]) {
        const selected = weight.select(0, row) as TestQuantized
        expectEqual(context, selected.dequantize(), weight.dequantize().select(0, row).contiguous())
      }
    })
  }
}

function testTranspose(context: Context): void {
  it('transposes as its values do, and back', () => {
    const { weight } = weightOf(context)
    const transposed = weight.transpose(0, 1) as TestQuantized
    const values = weight.dequantize().transpose(0, 1).contiguous()
    expectEqual(context, transposed.dequantize(), values)
    expectEqual(context, (transposed.contiguous() as TestQuantized).dequantize(), values)
    expectSameParts(context, transposed.transpose(0, 1) as TestQuantized, weight)
  })
}

/** All ranges of whole steps of a dimension, but few of a long one. */
function rangesOf({ variant }: Context, dim: number): [number, number][] {
  const size = variant.shape[dim] as number
  const step = variant.sliceSteps[dim] as number
  const stride = Math.max(1, Math.floor(size / step / 4)) * step
  const ranges: [number, number][] = []
  for (let start = 0; start < size; start += stride) {
    for (let end = start + step; end <= size; end += stride) ranges.push([start, end])
  }
  return ranges
}

function halfOf({ variant }: Context, dim: number): number {
  const step = variant.sliceSteps[dim] as number
  return Math.ceil((variant.shape[dim] as number) / step / 2) * step
}

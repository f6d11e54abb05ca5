/**
 * @file What the suites use of `@ao/base-tensor` and of a format, as structural types.
 *
 * This package imports none of those that it tests, so that they can be tested with it, and any version
 * of them. Methods that take more than a test may give are checked loosely, as TypeScript checks methods.
 */

/** A tensor, dense or quantized. */
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

/** A tensor of the format under test. */
export interface TestQuantized extends TestTensor {
  dequantize(): TestTensor
  flatten(): TestParts
}

/** A quantized tensor taken apart. */
export interface TestParts {
  readonly tensors: Readonly<Record<string, TestTensor>>
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The class of the format under test. */
export interface TestFormatClass {
  readonly formatName: string
  readonly tensorDataNames: readonly string[]
  readonly optionalTensorDataNames: readonly string[]
  readonly tensorAttributeNames: readonly string[]
  readonly optionalTensorAttributeNames: readonly string[]
  readonly attributeCodecs: Readonly<Record<string, unknown>>
  readonly ops: readonly { readonly opName: string }[]
  fromHp(weight: TestTensor, options?: object): TestQuantized
  unflatten(
    tensors: Readonly<Record<string, TestTensor | undefined>>,
    attributes: Readonly<Record<string, unknown>>,
  ): TestQuantized
}

/** The class of an int4 format, which has a packing format. */
export interface TestInt4Class extends TestFormatClass {
  readonly packingFormat: string
  readonly chooseQparamsAlgorithms: readonly string[]
  fromCodes(codes: TestInt4Codes): TestQuantized
}

/** What int4 formats exchange. */
export interface TestInt4Codes {
  readonly codes: TestTensor
  readonly scale: TestTensor
  readonly groupSize: number
  readonly dtype: string
}

/** `@ao/base-tensor` as a whole: pass `import * as base`. */
export interface TestBase {
  readonly meta: unknown
  defineOp(definition: {
    readonly name: string
    readonly reference: (tensor: TestTensor) => TestTensor
  }): (tensor: TestTensor) => unknown
  tensor(
    values: Float32Array,
    options?: { readonly shape?: readonly number[]; readonly dtype?: string },
  ): TestTensor
  zeros(shape: readonly number[], dtype?: string, device?: unknown): TestTensor
  hostArray(tensor: TestTensor): ArrayLike<number | bigint>
  hostFloat32(tensor: TestTensor): Float32Array
  linear(input: TestTensor, weight: TestTensor, bias?: TestTensor): TestTensor
  chunk(tensor: TestTensor, chunks: number, dim?: number): TestTensor[]
  cat(tensors: readonly TestTensor[], dim?: number): TestTensor
  encodeJson(codec: unknown, value: unknown, dialect: 'metadata'): unknown
  decodeJson(codec: unknown, json: unknown, path: string): unknown
}

/** One way to make tensors of the format. */
export interface FormatVariant {
  readonly name: string
  /** Quantizes a dense weight (N, K); must also work on tensors of the `meta` device. */
  fromHp(weight: TestTensor): TestQuantized
  /** N and K of the weights to test with. */
  readonly shape: readonly [number, number]
  /** Slices of each dimension begin and end at multiples of these. */
  readonly sliceSteps: readonly [number, number]
  /** The least SQNR, in dB, of the dequantized weight against the original, which is normal. */
  readonly weightSqnr: number
  /** The least SQNR, in dB, of `linear` against that of the original weight. */
  readonly linearSqnr: number
  /** Dtypes of weights and activations; float32, float16 and bfloat16 unless given. */
  readonly dtypes?: readonly string[]
  /** The largest magnitude up to which any weights give finite numbers; 1000 unless given. */
  readonly maxWeight?: number
  /** Whether `toCodes` of an int4 format refuses, as the last group is partly padding; false unless given. */
  readonly refusesCodes?: boolean
}

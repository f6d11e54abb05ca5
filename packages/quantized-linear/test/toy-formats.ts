/** @file Small formats that no package has, to try what the contract of decoders carries. */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  linear,
  tensor,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import { normalNumbers } from '@ao/test-kit'
import {
  bitsDecoder,
  dequantizeWeight,
  floatMatrices,
  int4Decoder,
  int8Decoder,
  linearPrograms,
  linearVariants,
  weightDecoder,
  type LinearPrograms,
  type LinearProduct,
  type LinearTuningOptions,
  type StoredWeight,
  type WeightDecoder,
} from '../src/webgpu.ts'

/** A weight's values (N, K) in float32, as its format's reference computes them, and its stored parts. */
export type ToyWeight = readonly [values: Tensor, codes: Tensor, ...parts: (Tensor | undefined)[]]

export interface ToyFormat {
  readonly name: string
  readonly programs: LinearPrograms
  readonly groupSizes: readonly number[]
  readonly make: (n: number, k: number, groupSize: number, seed?: number) => ToyWeight
  readonly stored: (weight: ToyWeight) => StoredWeight
  readonly isSymmetric?: boolean | undefined
}

/** `x @ weight^T + bias` by the values of a weight; what is fused is in `fused`. */
export const toyLinear: Op<[x: Tensor, weight: ToyWeight, bias: Tensor | undefined], Tensor> =
  defineOp({
    name: 'toy.linear',
    budget: { nmse: 1e-6 },
    reference: (x: Tensor, [values]: ToyWeight, bias: Tensor | undefined) =>
      linear(x, values, bias),
    meta: (x: Tensor, [values]: ToyWeight) =>
      zeros([...x.shape.slice(0, -1), values.shape[0] as number], x.dtype, x.device),
  })

/** The values themselves: kernels must give the same bits. */
export const toyDequantize: Op<[weight: ToyWeight], Tensor> = defineOp({
  name: 'toy.dequantize',
  reference: ([values]: ToyWeight) => values,
  meta: ([values]: ToyWeight) => values,
})

/** Kernels of the two ops for one format. */
export function toyKernels(
  { programs, stored }: ToyFormat,
  tuning?: LinearTuningOptions,
): KernelSet {
  const productOf = (x: Tensor, weight: ToyWeight, bias: Tensor | undefined): LinearProduct => ({
    x,
    weight: stored(weight),
    bias,
  })
  return [
    kernel(toyLinear, linearVariants(programs, productOf, tuning, floatMatrices())),
    kernel(toyDequantize, [
      {
        name: 'dequantize',
        when: 'always',
        run: (gpu, weight) => dequantizeWeight(gpu, programs, stored(weight), 'float32'),
      },
    ]),
  ]
}

const f = Math.fround

/** Codes that look random, of `bits` bits each. */
function randomCodes(count: number, bits: number, seed: number = 0): number[] {
  return Array.from(
    { length: count },
    (_, i) => Math.imul(i + 1 + seed, 2654435761) >>> (32 - bits),
  )
}

/** Codes one after another in words of 32, from the lowest bit on. */
function packBits(codes: readonly number[], bits: number): Int32Array {
  const words = new Int32Array(Math.ceil((codes.length * bits) / 32))
  codes.forEach((code, i) => {
    for (let b = 0; b < bits; b++) {
      const at = i * bits + b
      if ((code >> b) & 1) words[at >> 5] = (words[at >> 5] as number) | (1 << (at & 31))
    }
  })
  return words
}

const scales = (shape: readonly number[], seed: number, dtype: FloatDType = 'float32'): Tensor =>
  fromFloat32(
    normalNumbers(
      shape.reduce((a, b) => a * b),
      seed,
    ).map((x) => 0.05 + Math.abs(x) / 8),
    shape,
    dtype,
  )

function valuesOf(n: number, k: number, value: (row: number, k: number) => number): Tensor {
  return fromFloat32(
    Float32Array.from({ length: n * k }, (_, i) => value(Math.floor(i / k), i % k)),
    [n, k],
    'float32',
  )
}

interface Grouped {
  readonly name: string
  readonly decoder: WeightDecoder
  readonly groupSizes: readonly number[]
  readonly names: readonly string[]
  readonly isSymmetric?: boolean
  readonly make: ToyFormat['make']
  readonly groupSizeOf: (weight: ToyWeight) => number
  readonly rowBytesOf?: (k: number) => number
  readonly defines?: StoredWeight['defines']
}

function toy({
  decoder,
  names,
  groupSizeOf,
  rowBytesOf,
  isSymmetric,
  defines,
  ...rest
}: Grouped): ToyFormat {
  return {
    ...rest,
    isSymmetric,
    programs: linearPrograms(decoder),
    stored: (weight) => {
      const [values, codes, ...parts] = weight
      const [n, k] = values.shape as [number, number]
      const named = Object.fromEntries(names.map((name, i) => [name, parts[i]]))
      return {
        ...{ n, k, groupSize: groupSizeOf(weight), parts: { ...named, codes } },
        ...(rowBytesOf && { rowBytes: rowBytesOf(k) }),
        ...(isSymmetric && { isSymmetric }),
        ...(defines && { defines }),
      }
    },
  }
}

const groupSizeOfScale = ([values, , scale]: ToyWeight): number =>
  (values.shape[1] as number) / (scale?.shape[1] as number)

const QPARAMS = `
fn qparams(row: u32, group: u32) -> Qparams {
#for r in 0..4
  let at$r = (row + \${r}u) * GROUPS + group;
#end
  let scale = vec4f(scale1(at0), scale1(at1), scale1(at2), scale1(at3));
#if zero
  return Qparams(scale, vec4f(zero1(at0), zero1(at1), zero1(at2), zero1(at3)));
#else
  return Qparams(scale, vec4f());
#endif
}`

/** Codes of 1 to 8 bits along either dimension, with floating scales and zero points. */
export function bitsFormat(bits: 1 | 2 | 3 | 5 | 6 | 7 | 8, along: 'K' | 'N'): ToyFormat {
  const half = 2 ** (bits - 1)
  return toy({
    name: `${bits} bits along ${along}`,
    decoder: bitsDecoder({
      ...{ name: 'toy_bits', bits, along, parts: ['scale', 'zero'] },
      wgsl: `fn level_of(code: u32) -> f32 { return f32(code) - ${half}.0; }${QPARAMS}`,
    }),
    groupSizes: [32, 12],
    names: ['scale', 'zero'],
    groupSizeOf: groupSizeOfScale,
    ...(along === 'K' && { rowBytesOf: (k: number) => 4 * Math.ceil((k * bits) / 32) }),
    make: (n, k, groupSize) => {
      const codes = randomCodes(n * k, bits)
      const at = (row: number, i: number): number => codes[row * k + i] as number
      const groups = k / groupSize
      const [scale, zero] = [scales([n, groups], 1, 'float16'), scales([n, groups], 2, 'float16')]
      const [s, z] = [hostFloat32(scale), hostFloat32(zero)]
      const line = (row: number): number[] => Array.from({ length: k }, (_, i) => at(row, i))
      const column = (i: number): number[] => Array.from({ length: n }, (_, row) => at(row, i))
      const lines = Array.from({ length: along === 'K' ? n : k }, (_, i) =>
        packBits(along === 'K' ? line(i) : column(i), bits),
      )
      const words = (lines[0] as Int32Array).length
      const packed =
        along === 'K'
          ? lines.flatMap((each) => [...each])
          : Array.from({ length: words * k }, (_, i) => lines[i % k]?.[Math.floor(i / k)] as number)
      const values = valuesOf(n, k, (row, i) => {
        const group = row * groups + Math.floor(i / groupSize)
        return f(f((at(row, i) - half) * (s[group] as number)) + (z[group] as number))
      })
      const shape = along === 'K' ? [n, words] : [words, k]
      return [values, fromArray(Int32Array.from(packed), shape, 'int32'), scale, zero]
    },
  })
}

const NF4 = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
]

/** Four bits that name numbers of a table, with scales of groups that rows scale again. */
export const tableFormat: ToyFormat = toy({
  name: 'a table and two levels of scales',
  decoder: bitsDecoder({
    ...{ name: 'toy_table', bits: 4, along: 'K', parts: ['scale', 'rowScale', 'table'] },
    wgsl: `
fn level_of(code: u32) -> f32 { return table1(code); }
fn qparams(row: u32, group: u32) -> Qparams {
#for r in 0..4
  let own$r = scale1((row + \${r}u) * GROUPS + group) * rowScale1(row + \${r}u);
#end
  return Qparams(vec4f(own0, own1, own2, own3), vec4f());
}`,
  }),
  groupSizes: [32],
  isSymmetric: true,
  names: ['scale', 'rowScale', 'table'],
  groupSizeOf: groupSizeOfScale,
  rowBytesOf: (k) => k / 2,
  make: (n, k, groupSize) => {
    const codes = randomCodes(n * k, 4)
    const groups = k / groupSize
    const [scale, rowScale] = [scales([n, groups], 1, 'float16'), scales([n], 2)]
    const [s, r] = [hostFloat32(scale), hostFloat32(rowScale)]
    const values = valuesOf(n, k, (row, i) => {
      const own = f((s[row * groups + Math.floor(i / groupSize)] as number) * (r[row] as number))
      return f(f(NF4[codes[row * k + i] as number] as number) * own)
    })
    const packed = fromArray(packBits(codes, 4), [n, k / 8], 'int32')
    return [values, packed, scale, rowScale, tensor(NF4)]
  },
})

/** float8_e4m3fn in blocks of 32 that share a power of two, as MXFP8 has it. */
export const microscaledFormat: ToyFormat = toy({
  name: 'float8 in blocks with e8m0 scales',
  decoder: bitsDecoder({
    ...{ name: 'toy_mx', bits: 8, along: 'K', parts: ['scale'] },
    wgsl: `
fn level_of(code: u32) -> f32 { return float8_e4m3fn_four(code).x; }
fn power(at: u32) -> f32 { return bitcast<f32>(u32(scale1(at)) << 23u); }
fn qparams(row: u32, group: u32) -> Qparams {
#for r in 0..4
  let own$r = power((row + \${r}u) * GROUPS + group);
#end
  return Qparams(vec4f(own0, own1, own2, own3), vec4f());
}`,
  }),
  groupSizes: [32],
  isSymmetric: true,
  names: ['scale'],
  groupSizeOf: groupSizeOfScale,
  rowBytesOf: (k) => k,
  make: (n, k, groupSize) => {
    // No NaN: the codes 0x7f and 0xff.
    const codes = randomCodes(n * k, 8).map((code) => ((code & 0x7f) === 0x7f ? code - 1 : code))
    const groups = k / groupSize
    const powers = Uint8Array.from({ length: n * groups }, (_, i) => 118 + (i % 7))
    const values = valuesOf(n, k, (row, i) => {
      const exponent = (powers[row * groups + Math.floor(i / groupSize)] as number) - 127
      return float8(codes[row * k + i] as number) * 2 ** exponent
    })
    const packed = fromArray(packBits(codes, 8), [n, k / 4], 'int32')
    return [values, packed, fromArray(powers, [n, groups], 'uint8')]
  },
})

function float8(code: number): number {
  const [exponent, mantissa] = [(code >> 3) & 15, code & 7]
  const size = exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10)
  return code & 128 ? -size : size
}

/** `value` alone: a sign for each number, with one scale a column. */
export const valueFormat: ToyFormat = toy({
  name: 'a function of values, and nothing else',
  decoder: weightDecoder({
    ...{ name: 'toy_value', chunk: 32, parts: ['scale'] },
    wgsl: `
fn value(row: u32, k: u32) -> f32 {
  let bit = (codes_at(row * (K / 32u) + k / 32u) >> (k % 32u)) & 1u;
  return select(-1.0, 1.0, bit == 1u) * scale1(k);
}`,
  }),
  groupSizes: [32],
  isSymmetric: true,
  names: ['scale'],
  groupSizeOf: ([values]) => values.shape[1] as number,
  rowBytesOf: (k) => k / 8,
  make: (n, k) => {
    const codes = randomCodes(n * k, 1)
    const scale = scales([k], 1)
    const s = hostFloat32(scale)
    const values = valuesOf(
      n,
      k,
      (row, i) => (2 * (codes[row * k + i] as number) - 1) * (s[i] as number),
    )
    return [values, fromArray(packBits(codes, 1), [n, k / 32], 'int32'), scale]
  },
})

/** Four bits as int4 formats have them, with floating zero points. */
export const int4Format: ToyFormat = toy({
  name: 'int4',
  decoder: int4Decoder({
    ...{ name: 'toy_int4', order: 'sequential', parts: ['scale', 'zero'] },
    wgsl: QPARAMS,
  }),
  groupSizes: [32, 16],
  names: ['scale', 'zero'],
  groupSizeOf: groupSizeOfScale,
  rowBytesOf: (k) => k / 2,
  make: (n, k, groupSize, seed = 0) => {
    const codes = randomCodes(n * k, 4, seed)
    const groups = k / groupSize
    const scale = scales([n, groups], seed + 1, 'float16')
    const zero = scales([n, groups], seed + 2, 'float16')
    const [s, z] = [hostFloat32(scale), hostFloat32(zero)]
    const values = valuesOf(n, k, (row, i) => {
      const group = row * groups + Math.floor(i / groupSize)
      return f(
        f(((codes[row * k + i] as number) - 8) * (s[group] as number)) + (z[group] as number),
      )
    })
    return [values, fromArray(packBits(codes, 4), [n, k / 8], 'int32'), scale, zero]
  },
})

/** Bytes, with one scale a row. */
export const int8Format: ToyFormat = toy({
  name: 'int8',
  decoder: int8Decoder({
    ...{ name: 'toy_int8', parts: ['scale', 'zero'] },
    wgsl: `${QPARAMS}\nfn zero_level(row: u32, group: u32) -> f32 { return 0.0; }
fn value_of(row: u32, group: u32, level: f32) -> f32 { return level * scale1(row); }`,
  }),
  groupSizes: [Infinity],
  isSymmetric: true,
  names: ['scale'],
  groupSizeOf: groupSizeOfScale,
  rowBytesOf: (k) => k,
  make: (n, k, _groupSize, seed = 0) => {
    const codes = Int8Array.from(randomCodes(n * k, 8, seed), (code) => code - 128)
    const scale = scales([n, 1], seed + 1)
    const s = hostFloat32(scale)
    const values = valuesOf(n, k, (row, i) =>
      f((codes[row * k + i] as number) * (s[row] as number)),
    )
    return [values, fromArray(codes, [n, k], 'int8'), scale]
  },
})

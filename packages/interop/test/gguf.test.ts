import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromFloat16Bits, hostArray, tensor, toFloat16Bits } from '@ao/base-tensor'
import { gguf, GGMLQuantizationType } from '@huggingface/gguf'
import { Int4Tensor, PerGroup } from '@ao/int4'
import { Int8Tensor } from '@ao/int8'
import {
  fromQ4_0,
  fromQ8_0,
  toGgufFloat,
  toQ4_0,
  toQ8_0,
  writeGguf,
  type GgufFile,
  type GgufTensor,
  type GroupedInt8Codes,
} from '@ao/interop'
import { normalNumbers, sqnr } from '@ao/test-kit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  codeArrays,
  float16Scale,
  int4Arbitrary,
  int4Codes,
  int4Values,
  int8Codes,
  int8Values,
  randn,
} from './support.ts'

const ramp = (length: number) => Array.from({ length }, (_, i) => i % 16)

/** The values of blocks, as llama.cpp's `dequantize_row_q4_0` and `dequantize_row_q8_0` give them. */
function ggufValues({ type, shape, data }: GgufTensor): number[] {
  const size = type === 'Q4_0' ? 18 : 34
  return Array.from({ length: shape[0]! * shape[1]! }, (_, i) => {
    const block = Math.floor(i / 32) * size
    const d = fromFloat16Bits(data[block]! | (data[block + 1]! << 8))
    const j = i % 32
    if (type === 'Q8_0') return ((data[block + 2 + j]! << 24) >> 24) * d + 0
    const byte = data[block + 2 + (j % 16)]!
    return ((j < 16 ? byte & 15 : byte >> 4) - 8) * d + 0
  })
}

/** Blocks of `Q4_0` as llama.cpp quantizes them: `d = farthest value / -8`. */
function llamaCppQ4_0(weight: Float32Array, shape: [number, number]): GgufTensor {
  const data = new Uint8Array((weight.length / 32) * 18)
  for (let b = 0; b < weight.length / 32; b++) {
    const x = weight.subarray(b * 32, b * 32 + 32)
    const d = Math.fround(x.reduce((far, v) => (Math.abs(v) > Math.abs(far) ? v : far), 0) / -8)
    const codes = x.map((v) => Math.min(15, Math.trunc(Math.fround(v * Math.fround(1 / d)) + 8.5)))
    data.set(new Uint8Array(Uint16Array.of(toFloat16Bits(d)).buffer), b * 18)
    for (let j = 0; j < 16; j++) data[b * 18 + 2 + j] = codes[j]! | (codes[j + 16]! << 4)
  }
  return { type: 'Q4_0', shape, data }
}

describe('Q4_0', () => {
  it('has codes j and j + 16 in byte j, after a float16 scale', () => {
    const { sqnr: error, ...weight } = toQ4_0(
      int4Codes([1, 32], ramp(32).toSpliced(16, 1, 9), [0.5]),
    )
    const nibbles = [0x90, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77]
    const rest = [0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]
    expect(Array.from(weight.data)).toEqual([0x00, 0x38, ...nibbles, ...rest])
    expect(weight).toMatchObject({ type: 'Q4_0', shape: [1, 32] })
    expect(error).toBe(Infinity)
  })

  it('holds every symmetric weight of float16 scales exactly', () => {
    const property = fc.property(int4Arbitrary(32), (codes) => {
      const weight = toQ4_0(codes)
      expect(weight.sqnr).toBe(Infinity)
      expect(ggufValues(weight)).toEqual(int4Values(codes))
      const back = fromQ4_0(weight)
      expect(hostArray(back.codes)).toEqual(hostArray(codes.codes))
      expect(int4Values(back)).toEqual(int4Values(codes))
    })
    fc.assert(property, { numRuns: 50 })
  })

  it('gives back what llama.cpp quantized, in every bit', () => {
    const weight = llamaCppQ4_0(normalNumbers(4 * 96, 7), [4, 96])
    const codes = fromQ4_0(weight)
    expect(int4Values(codes)).toEqual(ggufValues(weight))
    expect(toQ4_0(codes)).toEqual({ ...weight, sqnr: Infinity })
  })

  it('turns groups of zero point 7 upside down', () => {
    const zeroPoint = { domain: 'INT', values: [7] } as const
    const codes = int4Codes([1, 32], ramp(32), [0.5], zeroPoint)
    const weight = toQ4_0(codes)
    expect(Array.from(weight.data.subarray(0, 3))).toEqual([0x00, 0xb8, 0xff])
    expect(ggufValues(weight)).toEqual(int4Values(codes))
  })

  it('quantizes floating zero points anew, as near as llama.cpp comes from the same values', () => {
    const codes = Int4Tensor.fromHp(randn(32, 256), { granularity: PerGroup(32) }).toCodes()
    expect(() => toQ4_0(codes)).toThrow(
      '[@ao/interop] Expected float16 scales and values of at most -8..7 or -7..8 scales in each group, ' +
        'got a weight that would keep 21.3 dB. Pass allowRounding: true to accept that.',
    )
    const values = int4Values(codes)
    const weight = toQ4_0(codes, { allowRounding: true })
    expect(weight.sqnr).toBeCloseTo(sqnr(values, ggufValues(weight)), 6)
    const theirs = llamaCppQ4_0(Float32Array.from(values), [32, 256])
    expect(weight.sqnr).toBeGreaterThan(sqnr(values, ggufValues(theirs)) - 0.05)
  })

  it('rounds float32 scales only when allowed', () => {
    const codes = int4Codes([1, 32], ramp(32), [0.1])
    expect(() => toQ4_0(codes)).toThrow('got a weight that would keep 72.2 dB')
    expect(toQ4_0(codes, { allowRounding: true }).sqnr).toBeCloseTo(72.2, 1)
  })

  it('refuses tensors of another type or size', () => {
    const weight = toQ4_0(int4Codes([1, 32], ramp(32), [1]))
    expect(() => fromQ4_0({ ...weight, type: 'Q8_0' })).toThrow(
      '[@ao/interop] Expected a tensor of Q4_0, got Q8_0.',
    )
    expect(() => fromQ4_0({ ...weight, shape: [2, 32] })).toThrow(
      '[@ao/interop] Expected (N, K) with K a multiple of 32, and 18 bytes for each 32 values, ' +
        'got [2, 32] and 18 bytes.',
    )
    expect(() => fromQ4_0({ ...weight, shape: [2, 16] })).toThrow('K a multiple of 32')
  })
})

describe('Q8_0', () => {
  it('has 32 codes after a float16 scale', () => {
    const codes = [-128, 127, ...ramp(30)]
    const { data } = toQ8_0(int8Codes([1, 32], codes, [0.5]))
    expect(Array.from(new Int8Array(data.buffer))).toEqual([0x00, 0x38, ...codes])
  })

  it('holds codes of float16 scales exactly, also of zero points that leave them in range', () => {
    const property = fc.property(
      codeArrays(64, -100, 100),
      fc.tuple(float16Scale, float16Scale),
      codeArrays(2, -27, 27),
      (codes, scale, zeroPoint) => {
        const weight = int8Codes([2, 32], codes, scale, zeroPoint)
        const converted = toQ8_0(weight)
        expect(converted.sqnr).toBe(Infinity)
        expect(ggufValues(converted)).toEqual(int8Values(weight))
        expect(int8Values(fromQ8_0(converted))).toEqual(int8Values(weight))
        expect(toQ8_0(fromQ8_0(converted))).toEqual(converted)
      },
    )
    fc.assert(property, { numRuns: 50 })
  })

  it('takes int8 weights per row, their float32 scales rounded', () => {
    const ours = Int8Tensor.fromHp(randn(16, 256), { granularity: { type: 'PerRow', dim: -1 } })
    const { qdata, scale, zeroPoint, dtype } = ours
    const codes: GroupedInt8Codes = { codes: qdata, scale, zeroPoint, groupSize: 256, dtype }
    expect(() => toQ8_0(codes)).toThrow(
      '[@ao/interop] Expected float16 scales and values of at most -128..127 scales in each group, ' +
        'got a weight that would keep 75.5 dB. Pass allowRounding: true to accept that.',
    )
    const weight = toQ8_0(codes, { allowRounding: true })
    expect(sqnr(int8Values(codes), ggufValues(weight))).toBeCloseTo(weight.sqnr, 6)
  })

  it('quantizes groups anew that a zero point takes out of range', () => {
    const codes = int8Codes([1, 32], [-128, ...ramp(31)], [0.5], [100])
    const weight = toQ8_0(codes, { allowRounding: true })
    expect(weight.sqnr).toBeGreaterThan(40)
    expect(sqnr(int8Values(codes), ggufValues(weight))).toBeCloseTo(weight.sqnr, 6)
  })
})

describe('writeGguf', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ao-interop-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const q4 = toQ4_0(int4Codes([2, 64], ramp(128), [1, 2]))
  const q8 = toQ8_0(int8Codes([3, 32], ramp(96), [1, 2, 4]))
  const norm = toGgufFloat(tensor([1, 2, 3], { dtype: 'bfloat16' }))
  const file: GgufFile = {
    metadata: {
      'general.architecture': 'llama',
      'general.quantization_version': { type: 'uint32', value: 2 },
      'llama.rope.freq_base': { type: 'float32', value: 0.1 },
      'ao.long': { type: 'int64', value: -5 },
      'ao.flag': true,
      'tokenizer.ggml.tokens': ['a', 'ö', ''],
      'tokenizer.ggml.scores': { type: 'float64', value: [0.1, -2] },
    },
    tensors: { 'blk.0.ffn_up.weight': q4, 'output.weight': q8, 'output_norm.weight': norm },
  }

  it('is read by another reader, tensors and all', async () => {
    const path = join(folder, 'model.gguf')
    writeFileSync(path, writeGguf(file))
    const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true })
    expect(metadata).toMatchObject({
      version: 3,
      'general.architecture': 'llama',
      'general.quantization_version': 2,
      'llama.rope.freq_base': Math.fround(0.1),
      'ao.long': -5n,
      'ao.flag': true,
      'tokenizer.ggml.tokens': ['a', 'ö', ''],
      'tokenizer.ggml.scores': [0.1, -2],
    })
    expect(tensorInfos).toMatchObject([
      {
        name: 'blk.0.ffn_up.weight',
        shape: [64n, 2n],
        dtype: GGMLQuantizationType.Q4_0,
        offset: 0n,
      },
      { name: 'output.weight', shape: [32n, 3n], dtype: GGMLQuantizationType.Q8_0, offset: 96n },
      { name: 'output_norm.weight', shape: [3n], dtype: GGMLQuantizationType.BF16, offset: 224n },
    ])
    const bytes = readFileSync(path)
    expect(Number(tensorDataOffset) % 32).toBe(0)
    const written = [q4, q8, norm]
    tensorInfos.forEach(({ offset }, i) => {
      const at = Number(tensorDataOffset + offset)
      const { data } = written[i]!
      expect(new Uint8Array(bytes.subarray(at, at + data.length))).toEqual(data)
    })
  })

  it('refuses what readers would not take', () => {
    const write = (changes: Partial<GgufFile>) => () => writeGguf({ ...file, ...changes })
    const alignment = { 'general.alignment': { type: 'uint32', value: 64 } } as const
    expect(write({ metadata: alignment })).toThrow(
      '[@ao/interop] Expected metadata without general.alignment, got it. Files are aligned to 32.',
    )
    expect(write({ metadata: { a: { type: 'uint8', value: [1, 256] } } })).toThrow(
      '[@ao/interop] Expected numbers that uint8 holds, got 1, 256.',
    )
    expect(write({ metadata: { a: { type: 'uint64', value: -1 } } })).toThrow(
      'uint64 holds, got -1',
    )
    expect(write({ metadata: { a: { type: 'int32', value: 0.5 } } })).toThrow(
      'int32 holds, got 0.5',
    )
    expect(write({ tensors: { ['a'.repeat(64)]: norm } })).toThrow(
      'Expected tensors with names of at most 63 bytes and at most 4 dimensions, got aaa',
    )
    expect(write({ tensors: { a: { ...q4, shape: [3, 64] } } })).toThrow(
      '[@ao/interop] Expected 108 bytes for a, Q4_0 [3, 64], got 72.',
    )
    expect(() => toGgufFloat(tensor([1], { dtype: 'int8' }))).toThrow(
      '[@ao/interop] Expected a floating tensor, got int8.',
    )
  })
})

import { cast, hostFloat32, meta, tensor, zeros, type Tensor } from '@ao/base-tensor'
import {
  chooseQparamsGguf,
  dequantizeGguf,
  quantizeGguf,
  type GgufQparams,
} from '@ao/quant-primitives'
import { sqnr } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { expectPlanned } from './golden.ts'

/** Two rows of waves below zero, so that no minimum is clamped away. */
const x = tensor(
  Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i * 0.7) * (1 + (i % 37)) + 40),
  { shape: [2, 512] },
)
const blockSize = [1, 32]

describe('gguf', () => {
  const qparams = chooseQparamsGguf(x, blockSize, 'uint4')
  const q = quantizeGguf(x, blockSize, 'uint4', qparams)

  it('has parameters for blocks and for super blocks', () => {
    const { superBlockScaleScale, superBlockMinScale, quantizedBlockScale, quantizedBlockMin } =
      qparams
    expect([superBlockScaleScale.shape, superBlockMinScale.shape]).toEqual([
      [2, 2],
      [2, 2],
    ])
    expect([quantizedBlockScale.shape, quantizedBlockMin.shape]).toEqual([
      [2, 16],
      [2, 16],
    ])
    for (const values of [quantizedBlockScale, quantizedBlockMin]) {
      const numbers = hostFloat32(values)
      expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...numbers)).toBe(63)
    }
  })

  it('spans the codes 0 to 15 where minima are positive', () => {
    const codes = hostFloat32(q)
    for (let block = 0; block < codes.length; block += 32) {
      const own = codes.subarray(block, block + 32)
      expect(Math.min(...own)).toBeCloseTo(0, 4)
      expect(Math.max(...own)).toBeCloseTo(15, 4)
    }
  })

  it('emulates: codes are not rounded, so the way back is nearly exact', () => {
    const back = dequantizeGguf(q, blockSize, 'uint4', qparams)
    expect(sqnr(hostFloat32(x), hostFloat32(back))).toBeGreaterThan(100)
    const coarse = dequantizeGguf(q, blockSize, 'uint4', qparams, 'bfloat16')
    expect(coarse.dtype).toBe('bfloat16')
    expect(sqnr(hostFloat32(x), hostFloat32(coarse))).toBeGreaterThan(40)
  })

  it('clamps negative minima to zero, and keeps codes that lie below it', () => {
    const mixed = tensor(
      Float32Array.from({ length: 256 }, (_, i) => Math.cos(i)),
      { shape: [1, 256] },
    )
    const chosen = chooseQparamsGguf(mixed, blockSize, 'uint4')
    expect(new Set(hostFloat32(chosen.quantizedBlockMin))).toEqual(new Set([0]))
    const codes = quantizeGguf(mixed, blockSize, 'uint4', chosen)
    expect(Math.min(...hostFloat32(codes))).toBeLessThan(-7)
    const back = dequantizeGguf(codes, blockSize, 'uint4', chosen)
    expect(sqnr(hostFloat32(mixed), hostFloat32(back))).toBeGreaterThan(100)
  })

  it('gives NaN for a super block of zeros, as torchao', () => {
    const chosen = chooseQparamsGguf(zeros([1, 256]), blockSize, 'uint4')
    expect(Array.from(hostFloat32(chosen.superBlockScaleScale))).toEqual([0])
    expect(hostFloat32(chosen.quantizedBlockScale).every(Number.isNaN)).toBe(true)
  })

  it.each(['float32', 'bfloat16', 'float16'] as const)('plans on meta: %s', async (dtype) => {
    const input = cast(x, dtype)
    const actual = chooseQparamsGguf(input, blockSize, 'uint4')
    const planned = chooseQparamsGguf(await input.to(meta), blockSize, 'uint4')
    for (const name of Object.keys(actual) as (keyof GgufQparams)[]) {
      expect(actual[name].dtype).toBe(dtype)
      expectPlanned(planned[name], actual[name])
    }
    const codes = quantizeGguf(input, blockSize, 'uint4', actual)
    const plannedCodes = quantizeGguf(await input.to(meta), blockSize, 'uint4', planned)
    expectPlanned(plannedCodes, codes)
    expectPlanned(
      dequantizeGguf(plannedCodes, blockSize, 'uint4', planned),
      dequantizeGguf(codes, blockSize, 'uint4', actual),
    )
  })

  it('refuses other targets and shapes', () => {
    const choose = (input: Tensor, block: number[]) => () =>
      chooseQparamsGguf(input, block, 'uint4')
    expect(() => chooseQparamsGguf(x, blockSize, 'int8')).toThrow(
      '[@ao/quant-primitives] Expected the target uint4, got int8.',
    )
    expect(choose(zeros([2, 128]), blockSize)).toThrow(
      '[@ao/quant-primitives] Expected blocks [1, size] of 256 / size in a tensor [N, K] with K a multiple of 256, got blocks [1, 32] in [2, 128].',
    )
    expect(choose(x, [1, 48])).toThrow('got blocks [1, 48]')
    expect(choose(x, [2, 32])).toThrow('got blocks [2, 32]')
    const short = { ...qparams, quantizedBlockMin: zeros([2, 8]) }
    expect(() => quantizeGguf(x, blockSize, 'uint4', short)).toThrow(
      'Expected quantizedBlockMin to have 32 elements, one for each block, got 16 of shape [2, 8].',
    )
  })
})

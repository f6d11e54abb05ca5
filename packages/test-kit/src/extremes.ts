/** @file Weights at the ends of their dtype: what formats make of them, on the CPU and on another device. */

import { expect, it } from 'vitest'
import type { FormatVariant, TestBase, TestQuantized, TestTensor } from './contracts.ts'

const LARGEST: Readonly<Record<string, number>> = {
  float32: (2 - 2 ** -23) * 2 ** 127,
  float16: 65504,
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
}

/** Numbers that weights repeat: at the largest of `dtype`, and around the smallest normal float32. */
function patterns(dtype: string): Readonly<Record<string, readonly number[]>> {
  const max = LARGEST[dtype] as number
  return {
    'the largest': [max],
    'the lowest': [-max],
    'both ends': [max, -max],
    'zero and the lowest': [0, 0, -max],
    'more than half': [0.6 * max, -0.6 * max, 0.1 * max],
    'near the end': [0.97 * max, -0.99 * max, 1],
    'an outlier': [...new Array<number>(40).fill(1), -max],
    'the smallest normal': [1.2e-38, 2e-38, -4e-38],
    subnormal: [1e-39, -1e-40, 3e-39],
    small: [1e-30, -3e-31, 2e-30],
  }
}

type Make = (weight: TestTensor) => TestQuantized

/** What the functions here do with a weight of one pattern. */
interface ExtremeCase {
  readonly name: string
  readonly max: number
  readonly hp: TestTensor
}

function casesOf(base: TestBase, [n, k]: readonly [number, number], dtype: string): ExtremeCase[] {
  return Object.entries(patterns(dtype)).map(([name, numbers]) => {
    const values = Float32Array.from(
      { length: n * k },
      (_, i) => numbers[i % numbers.length] as number,
    )
    const max = Math.max(...numbers.map(Math.abs))
    return { name, max, hp: base.tensor(values, { shape: [n, k], dtype }) }
  })
}

/** Small enough for sums of the largest weights. */
function inputFor(base: TestBase, hp: TestTensor): TestTensor {
  const k = hp.shape[1] as number
  return base.tensor(new Float32Array(3 * k).fill(2 ** -4 / k), { shape: [3, k], dtype: hp.dtype })
}

/**
 * Tests that finite weights give finite values and products, or are refused, and that others are refused:
 * defines the tests, in a file that vitest runs.
 *
 * @param base - `import * as base from '@ao/base-tensor'`
 */
export function testExtremes(base: TestBase, variants: readonly FormatVariant[]): void {
  for (const { name, shape, fromHp, dtypes = Object.keys(LARGEST) } of variants) {
    it.each(dtypes)(`weights at the ends of %s, ${name}`, (dtype) => {
      for (const { name, max, hp } of casesOf(base, shape, dtype)) {
        const weight = quantizedOrRefused(fromHp, hp)
        if (!weight) continue
        const [values, y] = [weight.dequantize(), base.linear(inputFor(base, hp), weight)]
        expect(base.hostFloat32(values).every(Number.isFinite), `values of ${name}`).toBe(true)
        expect(base.hostFloat32(y).every(Number.isFinite), `products with ${name}`).toBe(true)
        if (max < 1) continue
        const expected = base.hostFloat32(hp)
        const error = base
          .hostFloat32(values)
          .map((x, i) => Math.abs(x / max - (expected[i] as number) / max))
        expect(Math.max(...error), `error of ${name}`).toBeLessThan(0.25) // symmetric codes end at 7 of 8
      }
      for (const odd of [NaN, Infinity, -Infinity]) {
        const values = new Float32Array(shape[0] * shape[1]).fill(0.5)
        values[7] = odd
        expect(() => fromHp(base.tensor(values, { shape, dtype }))).toThrow(/^\[@ao.*Expected/)
      }
    })
  }
}

function quantizedOrRefused(fromHp: Make, hp: TestTensor): TestQuantized | undefined {
  try {
    return fromHp(hp)
  } catch (error) {
    expect((error as Error).message).toMatch(/^\[@ao.*Expected/)
    return undefined
  }
}

/** A tensor that moves. */
interface Movable<Device> extends TestQuantized {
  to(device: Device): Promise<TestQuantized>
}

/**
 * Expects `device` to make the same codes of such weights as the CPU, products as near, and no more of what
 * the CPU refuses once it comes back.
 */
export async function expectSameExtremes<Device>(
  base: TestBase & { readonly cpu: Device },
  device: Device,
  {
    fromHp,
    shape,
    dtypes = Object.keys(LARGEST),
  }: Pick<FormatVariant, 'fromHp' | 'shape' | 'dtypes'>,
): Promise<void> {
  const there = (tensor: TestTensor): Promise<TestTensor> => (tensor as Movable<Device>).to(device)
  const back = (tensor: TestTensor): Promise<TestQuantized> =>
    (tensor as Movable<Device>).to(base.cpu)
  for (const dtype of dtypes) {
    const odd = new Float32Array(shape[0] * shape[1]).fill(0.5)
    odd[7] = NaN
    const refused = there(base.tensor(odd, { shape, dtype })).then((hp) => back(fromHp(hp)))
    await expect(refused).rejects.toThrow(/^\[@ao.*Expected/)
    for (const { name, max, hp } of casesOf(base, shape, dtype)) {
      const here = fromHp(hp)
      const own = fromHp(await there(hp))
      const parts = (await back(own)).flatten().tensors
      for (const [part, tensor] of Object.entries(here.flatten().tensors)) {
        const bits = Array.from(base.hostArray(parts[part] as TestTensor))
        expect(bits, `${part} of ${name}, ${dtype}`).toEqual(Array.from(base.hostArray(tensor)))
      }
      const x = inputFor(base, hp)
      for (const rows of [1, 3]) {
        const some = x.slice(0, 0, rows).contiguous()
        const expected = base.hostFloat32(base.linear(some, here))
        const found = base.hostFloat32(await back(base.linear(await there(some), own)))
        // Of sums that do not cancel. No format has scales below 1e-7, whose codes cancel in tiny weights.
        const peak = Math.max(max, 1e-7) * 2 ** -4
        found.forEach((value, i) => {
          const off = Math.abs(value / peak - (expected[i] as number) / peak)
          expect(off, `${rows} rows with ${name}, ${dtype}`).toBeLessThan(0.02)
        })
      }
    }
  }
}

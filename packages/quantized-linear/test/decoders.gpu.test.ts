import { cast, type FloatDType } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import type { LinearTuningOptions } from '../src/webgpu.ts'
import { onlyVariant, testNumbers } from '../src/webgpu/testing.ts'
import {
  bitsFormat,
  int4Format,
  int8Format,
  microscaledFormat,
  tableFormat,
  toyDequantize,
  toyKernels,
  toyLinear,
  valueFormat,
  type ToyFormat,
  type ToyWeight,
} from './toy-formats.ts'

const gpu = (await testGPU()) as GPU

const FORMATS = [
  bitsFormat(3, 'K'),
  bitsFormat(5, 'N'),
  bitsFormat(1, 'K'),
  tableFormat,
  microscaledFormat,
  valueFormat,
  int4Format,
  int8Format,
]

// The variant without subgroups, the batch and the tile decode by what those with subgroups and the matrices
// decode by: they are tried with codes that cross words.
const REPRESENTATIVE = [FORMATS[0]]
const MATRICES = 'gemm, subgroup matrices'
const VARIANTS: readonly (readonly [string, number, FloatDType, boolean])[] = [
  ['gemv, subgroups', 1, 'float32', true],
  ['gemv', 1, 'bfloat16', false],
  ['batch', 3, 'float16', false],
  [MATRICES, 5, 'float16', true],
  ['gemm 64 x 64', 5, 'float32', false],
  ['number by number', 2, 'float32', true],
]

// Few numbers a thread: what compiles soon. Sizes that no tile divides.
const TUNING: LinearTuningOptions = {
  half: 'f32',
  gemv: { threads: 8, minLanes: 2, maxLanes: 4 },
  batch: { threads: 8, minLanes: 2, maxLanes: 4, columns: 2 },
  matrix: {
    minRows: 2,
    wantedWorkgroups: 1,
    tiles: [{ m: 4, n: 4, subgroupM: 4, subgroupN: 4, step: 32 }],
    isAlone: true,
  },
}
const [N, K] = [10, 96]

/** Runs a product by one variant alone. */
async function check(
  format: ToyFormat,
  variant: string,
  m: number,
  dtype: FloatDType,
  groupSize: number,
): Promise<void> {
  const kernels = onlyVariant(toyKernels(format, TUNING), toyLinear, variant)
  const device = await WebGPUDevice.create({ gpu, kernels: [denseKernels, kernels] })
  const weight = format.make(N, K, Math.min(groupSize, K))
  const args = [testNumbers([m, K], dtype), weight, testNumbers([N])] as const
  const { count } = await expectReference(device, toyLinear, [...args], 2e-6)
  expect(count).toBe(m * N)
  device.destroy()
}

describe.skipIf(!gpu).each(FORMATS.map((format) => [format.name, format] as const))(
  '%s',
  (_name, format) => {
    const [groupSize = K, ...others] = format.groupSizes

    it.each(VARIANTS.filter(([, , , all]) => all || REPRESENTATIVE.includes(format)))(
      'multiplies by %s',
      // Matrices of float16 scale results where scales are not float16: one a row.
      (variant, m, dtype) =>
        check(
          format,
          variant,
          m,
          dtype,
          variant === MATRICES && format.isSymmetric ? K : groupSize,
        ),
    )

    it('leaves values that float16 may not hold to other variants than matrices', () => {
      const limits = {
        maxInvocations: 256,
        maxWorkgroupStorage: 16384,
        maxBindingSize: 2 ** 27,
        maxStorageBuffers: 8,
      }
      const context = { capabilities: limits }
      const kernels = onlyVariant(toyKernels(format, TUNING), toyLinear, MATRICES)
      const kernel = kernels.find(({ op }) => op === toyLinear)
      const fits = kernel?.variants[0]?.fits as (...args: readonly unknown[]) => boolean
      const [values, codes, scale, ...rest] = format.make(N, K, groupSize)
      const weight: ToyWeight = [values, codes, scale && cast(scale, 'float32'), ...rest]
      const isScaled = format.isSymmetric === true && format.stored(weight).groupSize === K
      expect(fits(context, testNumbers([40, K], 'float16'), weight)).toBe(isScaled)
      if (scale?.dtype === 'float16' && rest.every((part) => part?.dtype === 'float16')) {
        expect(
          fits(context, testNumbers([40, K], 'float16'), [values, codes, scale, ...rest]),
        ).toBe(true)
      }
      expect(fits(context, testNumbers([40, K], 'float32'), weight)).toBe(false)
    })

    it('gives the values of the CPU, to the bit', async () => {
      const device = await WebGPUDevice.create({ gpu, kernels: [denseKernels, toyKernels(format)] })
      for (const size of [groupSize, ...others]) {
        const weight = format.make(N, K, Math.min(size, K))
        await expectReference(device, toyDequantize, [weight])
      }
      device.destroy()
    })

    it.skipIf(others.length === 0)('takes groups that are not whole chunks', () =>
      check(format, 'number by number', 2, 'float32', others[0] as number),
    )
  },
)

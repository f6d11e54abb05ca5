import { defineOp, linear, zeros, type FloatDType, type Op, type Tensor } from '@ao/base-tensor'
import { denseKernels, kernel, WebGPUDevice, type KernelSet } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { chooseQparamsAffine, dequantizeAffine, quantizeAffine } from '@ao/quant-primitives'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  int8InputAsFloats,
  INT8_TUNING,
  int8LinearVariants,
  int8Programs,
  linearVariants,
  quantizeInput,
  type Int8Activation,
  type Int8Call,
  type LinearProduct,
} from '../src/webgpu.ts'
import { onlyVariant, testNumbers } from '../src/webgpu/testing.ts'
import {
  bitsFormat,
  int4Format,
  int8Format,
  type ToyFormat,
  type ToyWeight,
} from './toy-formats.ts'

const gpu = (await testGPU()) as GPU

type Args = [x: Tensor, weight: ToyWeight, bias: Tensor | undefined, activation: Int8Activation]

/** A product with what int8 codes of each row stand for. */
const product: Op<Args, Tensor> = defineOp({
  name: 'toy.dynamicLinear',
  budget: { nmse: 1e-6 },
  reference: (...[x, [values], bias, { mappingType }]: Args): Tensor => {
    const k = x.shape.at(-1) as number
    const block = [1, k]
    const { scale, zeroPoint } = chooseQparamsAffine(x, mappingType, block, 'int8', {
      ...{ quantMin: -128, quantMax: 127, eps: 2 ** -23 },
      ...{ scaleDtype: 'float32', zeroPointDtype: 'int8' },
    })
    const codes = quantizeAffine(x, block, scale, zeroPoint, 'int8')
    const outputDtype = x.dtype as FloatDType
    const back = dequantizeAffine(codes, block, scale, zeroPoint, 'int8', { outputDtype })
    return linear(back, values, bias)
  },
  meta: (x, [values]) =>
    zeros([...x.shape.slice(0, -1), values.shape[0] as number], x.dtype, x.device),
})

function kernels({ programs, stored }: ToyFormat): KernelSet {
  const callOf = (...[x, weight, bias, activation]: Args): Int8Call => ({
    x,
    weight: stored(weight),
    isAsymmetric: activation.mappingType === 'ASYMMETRIC',
    product: (own) => ({
      input: quantizeInput(own, x, activation, undefined, 'toy'),
      bias,
      outDtype: x.dtype as FloatDType,
    }),
  })
  const ownGemv = { threads: 8, minLanes: 2, maxLanes: 4, wantedThreads: 1 }
  const ofInt8 = int8Programs(programs.decoder, { ...INT8_TUNING, ownGemv })
  const ofFloats = linearVariants(programs, (product: LinearProduct) => product)
  return [
    kernel(product, [...int8LinearVariants(ofInt8, callOf), int8InputAsFloats(ofFloats, callOf)]),
  ]
}

const [N, K] = [10, 96]
const threeBits = bitsFormat(3, 'K')

describe.skipIf(!gpu)('inputs of int8 times grouped weights', () => {
  it.each([
    ['int4, groups of 32', int4Format, 32, 'gemv of the decoder, subgroups', 1, 'ASYMMETRIC'],
    ['int4, groups of 96', int4Format, 96, 'gemv of the decoder', 1, 'SYMMETRIC'],
    ['int4, groups of 32', int4Format, 32, 'gemv, subgroups', 1, 'ASYMMETRIC'],
    ['int4, groups of 16', int4Format, 16, 'gemv', 3, 'ASYMMETRIC'],
    ['int4, groups of 32', int4Format, 32, 'gemv', 2, 'SYMMETRIC'],
    ['int4, groups of 32', int4Format, 32, 'codes of the input as floats', 9, 'ASYMMETRIC'],
    ['int4, groups of 32', int4Format, 32, 'codes of the input as floats', 10, 'ASYMMETRIC'],
    ['int4, a group a row', int4Format, K, 'tile, few rows', 9, 'ASYMMETRIC'],
    ['three bits, groups of 32', threeBits, 32, 'gemv', 3, 'ASYMMETRIC'],
    ['int8, a group a row', int8Format, K, 'gemv', 3, 'ASYMMETRIC'],
  ] as const)('%s', async (_name, format, groupSize, variant, m, mappingType) => {
    const own = onlyVariant(kernels(format), product, variant)
    const device = await WebGPUDevice.create({ gpu, kernels: [denseKernels, own] })
    const activation = { granularity: { type: 'PerRow' }, mappingType } as const
    const x = testNumbers([m, K], m === 10 ? 'float16' : 'float32', 3)
    const weight = format.make(N, K, groupSize)
    const call: Args = [x, weight, testNumbers([N]), activation]
    const { count } = await expectReference(device, product, call)
    expect(count).toBe(m * N)
    device.destroy()
  })
})

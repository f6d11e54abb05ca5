import * as base from '@ao/base-tensor'
import { bmm, cast, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { webgpuKernels as primitiveKernels } from '@ao/quant-primitives/webgpu'
import {
  checkLinearCase,
  compileVariants,
  describeLinearCase,
  LINEAR_CASES,
  HALF_CASES,
  SHARED_DECODER_CASES,
  testNumbers,
} from '@ao/quantized-linear/webgpu/testing'
import { expectSameExtremes } from '@ao/test-kit'
import { testGPU, validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  dequantizeInt4Tiles,
  int4TiledLinear,
  Int4TilePackedTo4dTensor,
  packInt4Tiles,
  unpackInt4Tiles,
  type Int4TiledWeight,
} from '../src/index.ts'
import { int4TilePackedTo4dKernels, webgpuKernels } from '../src/webgpu.ts'

const gpu = (await testGPU()) as GPU
const validator = await validationGPU()
const device =
  gpu &&
  (await WebGPUDevice.create({ gpu, kernels: [denseKernels, primitiveKernels, webgpuKernels] }))

function quantized(weight: Tensor, groupSize: number): Int4TilePackedTo4dTensor {
  const granularity = PerGroup(groupSize)
  return Int4TilePackedTo4dTensor.fromHp(cast(weight, 'bfloat16'), { granularity })
}

function stored(weight: Tensor, groupSize: number): Int4TiledWeight {
  const { qdata, scaleAndZero, shape } = quantized(weight, groupSize)
  // Those of HQQ, which products by matrices of subgroups need.
  const isHalf = weight.dtype === 'float16'
  return [qdata, isHalf ? cast(scaleAndZero, 'float16') : scaleAndZero, shape]
}

type LinearArgs = Parameters<typeof int4TiledLinear>

const subject = {
  gpu,
  kernels: int4TilePackedTo4dKernels,
  op: int4TiledLinear,
  args: (x: Tensor, weight: Tensor, groupSize: number, bias: Tensor | undefined): LinearArgs => [
    x,
    stored(weight, groupSize),
    bias,
  ],
}

describe.skipIf(!gpu)('linear', () => {
  it.each(SHARED_DECODER_CASES.map((each) => [describeLinearCase(each), each] as const))(
    '%s',
    async (_name, each) => checkLinearCase(subject, each),
  )

  it.skipIf(!validator)('compiles with shader-f16 and matrices of subgroups', async () => {
    const compiled = compileVariants(validator as GPU, subject, [...LINEAR_CASES, ...HALF_CASES])
    await expect(compiled).resolves.toBeUndefined()
  })

  it.each([1, 3])('multiplies weights that are padded along K, with %i rows', async (m) => {
    const weight = stored(testNumbers([9, 1100]), 64)
    await expectReference(device, int4TiledLinear, [testNumbers([m, 1100]), weight, undefined])
  })

  it('multiplies weights above the binding limit in parts', async () => {
    const capabilities = { maxBindingSize: 8192 }
    const small = await WebGPUDevice.create({
      gpu,
      kernels: [denseKernels, webgpuKernels],
      capabilities,
    })
    const weight = stored(testNumbers([37, 1024]), 256)
    const args: LinearArgs = [testNumbers([1, 1024]), weight, testNumbers([37])]
    await expectReference(small, int4TiledLinear, args)
  })
})

describe.skipIf(!gpu)('weights', () => {
  it('convert to codes and back', async () => {
    const weight = stored(testNumbers([2, 9, 100]), 32)
    await expectReference(device, dequantizeInt4Tiles, [weight, 'float32'])
    await expectReference(device, dequantizeInt4Tiles, [weight, 'bfloat16'])
    const codes = unpackInt4Tiles(weight[0])
    await expectReference(device, unpackInt4Tiles, [weight[0]])
    await expectReference(device, packInt4Tiles, [codes])
  })

  it('quantize on the GPU', async () => {
    const weight = testNumbers([2, 6, 128], 'bfloat16')
    const [here, there] = [quantized(weight, 32), quantized(await weight.to(device), 32)]
    for (const name of ['qdata', 'scaleAndZero'] as const) {
      expect(await there[name].data()).toEqual(await here[name].data())
    }
  })

  it('multiply as experts', async () => {
    await expectReference(
      device,
      bmm,
      [testNumbers([3, 1, 64]), quantized(testNumbers([3, 10, 64]), 32)],
      1e-5,
    )
  })
})

describe.skipIf(!gpu)('weights at the ends of dtypes', () => {
  it('are what they are on the CPU', async () => {
    const fromHp = (weight: Tensor): Int4TilePackedTo4dTensor =>
      Int4TilePackedTo4dTensor.fromHp(weight, { granularity: PerGroup(32) })
    await expectSameExtremes(base, device, {
      fromHp: fromHp as never,
      shape: [8, 128],
      dtypes: ['bfloat16'],
    })
  })
})

import { cpu, linear, readFloat32 } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { bitsLinear, packBits, unpackBits } from '@ao/quantized-linear'
import { testNumbers } from '@ao/quantized-linear/webgpu/testing'
import { sqnr } from '@ao/test-kit'
import { elements } from '@ao/test-tensors'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { packUintx, UIntxBitPackedTensor, UintxTensor } from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

const gpu = (await testGPU()) as GPU
const kernels = [denseKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))

describe.skipIf(!gpu)('weights on the GPU', () => {
  it.each([
    [4, 32],
    [8, -1],
  ] as const)('of %i bits, in groups of %s', async (bitWidth, groupSize) => {
    const hp = testNumbers([10, 64], 'bfloat16')
    const weight = UIntxBitPackedTensor.fromHp(hp, { bitWidth, groupSize })
    for (const m of [1, 20]) {
      const bias = testNumbers([10], 'bfloat16')
      const x = testNumbers([m, 64], 'bfloat16')
      const { parts, form } = weight
      const packed = bitWidth === 4 ? ([packBits(parts[0], 4), parts[1], parts[2]] as const) : parts
      await expectReference(device, bitsLinear, [x, packed, form, bias])
    }
    const there = await weight.to(device)
    expect(there.qdata.nbytes).toBe((10 * 64 * bitWidth) / 8)
    const x = testNumbers([2, 64], 'float32')
    const y = linear(await x.to(device), there)
    expect(sqnr(await readFloat32(linear(x, weight)), await readFloat32(y))).toBeGreaterThan(50)
    const back = await there.to(cpu)
    expect(elements(back.qdata)).toEqual(elements(weight.qdata))
    // What files hold is made there, too.
    const { tensors } = UIntxBitPackedTensor.storedForm.flatten(there)
    const expected = UIntxBitPackedTensor.storedForm.flatten(weight).tensors
    for (const [name, part] of Object.entries(tensors)) {
      expect(elements(await part.to(cpu)), name).toEqual(elements(expected[name]))
    }
  })

  it.each([3, 5, 7])('codes of %i bits from 0 on, in words and back', async (bits) => {
    const hp = testNumbers([4, 64])
    const { scale, zeroPoint, qdata } = UIntxBitPackedTensor.fromHp(hp, { groupSize: 32 })
    const words = packBits(qdata, bits)
    await expectReference(device, unpackBits, [words, bits, false])
    const form = { bits, isSigned: false, dtype: 'float32' } as const
    await expectReference(device, bitsLinear, [
      testNumbers([2, 64]),
      [words, scale, zeroPoint],
      form,
    ])
  })

  it.each([
    [3, -1],
    [7, 0],
  ])('shards of %i bits along %i, as files hold them', async (bitWidth, packDim) => {
    const hp = testNumbers([16, 96])
    const weight = UintxTensor.fromHp(hp, { bitWidth, groupSize: 32, packDim })
    await expectReference(device, packUintx, [weight.qdata, bitWidth, packDim])
    const there = await weight.to(device)
    expect(there.qdata.nbytes).toBe((16 * 96 * bitWidth) / 8)
    const { tensors } = UintxTensor.storedForm.flatten(there)
    const expected = UintxTensor.storedForm.flatten(weight).tensors
    for (const [name, part] of Object.entries(tensors)) {
      expect(elements(await part.to(cpu)), name).toEqual(elements(expected[name]))
    }
    const x = testNumbers([2, 96])
    const y = await readFloat32(linear(await x.to(device), there))
    expect(sqnr(await readFloat32(linear(x, weight)), y)).toBeGreaterThan(50)
  })
})

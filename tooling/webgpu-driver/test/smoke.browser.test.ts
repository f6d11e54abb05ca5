import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import source from './double.wgsl'

const gpu = await testGPU()

describe.skipIf(gpu === undefined)('the adapter of the tests', () => {
  it('doubles numbers', async () => {
    const adapter = await gpu?.requestAdapter()
    const device = await adapter!.requestDevice()
    const values = Float32Array.from({ length: 100 }, (_, i) => i + 0.5)
    expect(await double(device, values)).toEqual(values.map((value) => 2 * value))
    device.destroy()
  })
})

async function double(device: GPUDevice, values: Float32Array<ArrayBuffer>): Promise<Float32Array> {
  const size = values.byteLength
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage
  const buffer = device.createBuffer({ size, usage: STORAGE | COPY_DST | COPY_SRC })
  const readable = device.createBuffer({ size, usage: COPY_DST | MAP_READ })
  device.queue.writeBuffer(buffer, 0, values)
  const module = device.createShaderModule({ code: source })
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } })
  const entries = [{ binding: 0, resource: { buffer } }]
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }))
  pass.dispatchWorkgroups(Math.ceil(values.length / 64))
  pass.end()
  encoder.copyBufferToBuffer(buffer, 0, readable, 0, size)
  device.queue.submit([encoder.finish()])
  await readable.mapAsync(GPUMapMode.READ)
  return new Float32Array(readable.getMappedRange().slice(0))
}

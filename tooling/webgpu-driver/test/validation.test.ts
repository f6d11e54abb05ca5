import { validationGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix']

const gpu = await validationGPU()
const adapter = await gpu?.requestAdapter()
const requiredFeatures = FEATURES as GPUFeatureName[]
const device = await adapter!.requestDevice({ requiredFeatures })

async function compile(code: string): Promise<readonly string[]> {
  device.pushErrorScope('validation')
  const module = device.createShaderModule({ code })
  const { messages } = await module.getCompilationInfo()
  await device.popErrorScope()
  return messages.map(({ type, lineNum, message }) => `${type} ${lineNum}: ${message}`)
}

describe('validationGPU', () => {
  it('compiles what hardware is needed to run', async () => {
    const source = `enable f16;
      enable subgroups;
      @group(0) @binding(0) var<storage, read_write> values: array<f16>;
      @compute @workgroup_size(64)
      fn main(@builtin(global_invocation_id) id: vec3u) {
        values[id.x] = subgroupAdd(values[id.x]);
      }`
    expect(await compile(source)).toEqual([])
    const module = device.createShaderModule({ code: source })
    const pipeline = device.createComputePipelineAsync({ layout: 'auto', compute: { module } })
    await expect(pipeline).resolves.toBeDefined()
  })

  it('compiles subgroup matrices', async () => {
    const source = `enable f16;
      enable chromium_experimental_subgroup_matrix;
      @compute @workgroup_size(128)
      fn main() {
        var sum: subgroup_matrix_result<f32, 8, 8>;
        let left = subgroup_matrix_left<f16, 8, 8>();
        let right = subgroup_matrix_right<f16, 8, 8>();
        sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
      }`
    expect(await compile(source)).toEqual([])
  })

  it('says what is wrong, and where', async () => {
    expect(await compile('// one\nconst a: u32 = 1.5;')).toEqual([
      "error 2: cannot convert value of type 'abstract-float' to type 'u32'",
    ])
  })
})

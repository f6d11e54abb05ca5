import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels } from '@ao/llama/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { it } from 'vitest'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, randomWeights, TINY } from './checkpoints.ts'
import { expectSteadySteps } from './soak.ts'

const gpu = await testGPU()
const CONFIG = { ...TINY, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1 }
const kernels = [denseKernels, webgpuKernels]

it.skipIf(!gpu)('takes one submission for each of 2,000 steps, and no more memory', async () => {
  const device = await WebGPUDevice.create({ gpu: gpu as GPU, kernels })
  const folder = checkpointFolder(CONFIG, randomWeights(CONFIG))
  const model = await LlamaForCausalLM.fromPretrained(folder, { device })
  await expectSteadySteps(device, model, 2000)
  device.destroy()
})

/** @file Logits of models that torchao quantized, against its own. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readFloat32, type Device, type FloatDType } from '@ao/base-tensor'
import { webgpuKernels as float8Kernels } from '@ao/float8/webgpu'
import { webgpuKernels as intxKernels } from '@ao/intx/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { LlamaForCausalLM } from '@ao/llama'
import { webgpuKernels as llamaKernels } from '@ao/llama/webgpu'
import { openSafetensors } from '@ao/safetensors'
import { directory, fileSource } from '@ao/safetensors/node'
import { FORMATS } from '../src/formats.ts'

/** A device with the kernels of these models' formats. */
export function referenceDevice(gpu: GPU): Promise<WebGPUDevice> {
  return WebGPUDevice.create({
    gpu,
    kernels: [denseKernels, float8Kernels, intxKernels, llamaKernels],
  })
}

/** How far the logits of the model in `folder` are from those beside it: the normalised mean square. */
export async function logitsNmse(
  folder: string,
  device: Device,
  dtype: FloatDType = 'bfloat16',
): Promise<number> {
  const options = { formats: FORMATS, dtype, device }
  const model = await LlamaForCausalLM.fromPretrained(directory(folder), options)
  const { ids } = JSON.parse(readFileSync(join(folder, 'io.json'), 'utf8')) as { ids: number[] }
  const file = await openSafetensors(await fileSource(join(folder, 'io.safetensors')))
  const expected = await readFloat32(await file.read('logits'))
  await file.close()
  const logits = await readFloat32(model.forward(ids))
  if (logits.length !== expected.length) throw new Error(`${logits.length} logits`)
  const squares = (values: Float32Array): number => values.reduce((sum, x) => sum + x * x, 0)
  return squares(logits.map((x, i) => x - (expected[i] as number))) / squares(expected)
}

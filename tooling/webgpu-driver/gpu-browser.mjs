/** @file `GPU` objects in the browser. See gpu.d.mts. */

export async function testGPU() {
  const gpu = navigator.gpu
  return (await gpu?.requestAdapter()) ? gpu : undefined
}

export async function validationGPU() {
  return undefined
}

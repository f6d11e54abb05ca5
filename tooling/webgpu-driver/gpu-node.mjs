/** @file `GPU` objects in Node, from Dawn. See gpu.d.mts. */
import { create, globals } from 'webgpu'

/**
 * One of each for the whole process, however often this module is loaded: Dawn crashes when what
 * `create` gave is collected before what came from it.
 */
const kept = (globalThis[Symbol.for('ao.webgpu-driver')] ??= {})

export async function testGPU() {
  const backend = process.env.AO_WEBGPU_BACKEND
  kept.test ??= dawn(backend === undefined ? [] : [`backend=${backend}`])
  return (await kept.test.requestAdapter()) === null ? undefined : kept.test
}

export async function validationGPU() {
  kept.validation ??= dawn(['backend=null'])
  return kept.validation
}

function dawn(flags) {
  Object.assign(globalThis, globals)
  return create([...flags, 'enable-dawn-features=allow_unsafe_apis'])
}

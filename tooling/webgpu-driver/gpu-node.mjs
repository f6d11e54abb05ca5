/** @file `GPU` objects in Node, from Dawn. See gpu.d.mts. */
import { create, globals } from 'webgpu'

/** Dawn crashes when the object that `create` gave is collected before what came from it. */
const kept = {}

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

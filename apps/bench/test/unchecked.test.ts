import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'

const gpu = await testGPU()
const SCRIPT = fileURLToPath(new URL('print-shaders.ts', import.meta.url))
const WGSL = new URL('../../../tooling/wgsl/register.mjs', import.meta.url).href

/** The body of a module's kernel: the function that waits at barriers. */
function kernelOf(module: string): string {
  return module.split(/OpFunction\b/).find((body) => body.includes('OpControlBarrier')) ?? ''
}

// Compilers clamp places that they cannot prove to be inside of an array, and products by matrices are then
// up to twice as slow: see docs/decisions.
it.skipIf(!gpu)('places of matrices in shared memory need no checks', () => {
  const args = ['--conditions=@ao/source', '--import', 'tsx', '--import', WGSL, SCRIPT]
  const text = execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 })
  // Tiles are arrays of arrays of arrays: of buffers, parts and cells.
  const TILE_PLACE = /OpAccessChain %_ptr_Workgroup_\w+ %\w+ (%\w+) (%\w+) (%\w+)\s/g
  let kernels = 0
  for (const module of text.split('; SPIR-V').slice(1)) {
    const body = kernelOf(module)
    const places = [...body.matchAll(TILE_PLACE)].map(([, ...indices]) => indices)
    if (places.length === 0) continue
    kernels++
    const clamped = new Set(body.match(/%\w+(?= = OpExtInst %uint %\w+ UMin )/g))
    expect(places.length).toBeGreaterThan(4)
    expect(places.flat().filter((index) => clamped.has(index as string))).toEqual([])
  }
  expect(kernels).toBe(4) // dense, int4, and both of int8
})

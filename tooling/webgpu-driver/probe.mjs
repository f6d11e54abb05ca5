/** @file Prints the adapter that this process gets: `{ name }` or, where there is none, `{ reason }`. */
import { testGPU } from './gpu-node.mjs'

const gpu = await testGPU()
const adapter = await gpu?.requestAdapter()
process.stdout.write(
  JSON.stringify(adapter ? { name: name(adapter.info) } : { reason: 'none found' }),
)

function name({ vendor, architecture, description, device, isFallbackAdapter }) {
  const hardware = description || [vendor, architecture, device].filter(Boolean).join(' ')
  return isFallbackAdapter ? `${hardware}, in software` : hardware
}

/** @file Prints the adapter that this process gets: `{ name }` or, where there is none, `{ reason }`. */
import { testGPU } from './gpu-node.mjs'

const gpu = await testGPU()
const adapter = await gpu?.requestAdapter()
const { vendor, architecture, description, device } = adapter?.info ?? {}
const name = adapter && (description || [vendor, architecture, device].filter(Boolean).join(' '))
process.stdout.write(JSON.stringify(adapter ? { name } : { reason: 'none found' }))

import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int8Tensor } from '@ao/int8'
import { openCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { fingerprint, newModel } from './model.mjs'

const formats = [Int8Tensor, Int4PlainInt32Tensor]
const checkpoint = await openCheckpoint(directory('.'))
const weights = new Map()
for (const name of checkpoint.names) weights.set(name, await checkpoint.read(name, { formats }))
await checkpoint.close()

const model = newModel()
model.loadStateDict(weights)
console.log(await fingerprint(model))

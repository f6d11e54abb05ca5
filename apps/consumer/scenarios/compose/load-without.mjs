import { Int8Tensor } from '@ao/int8'
import { openCheckpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'

const checkpoint = await openCheckpoint(directory('.'))
await checkpoint.read('0.weight', { formats: [Int8Tensor] })
try {
  await checkpoint.read('2.weight', { formats: [Int8Tensor] })
} catch (error) {
  console.log(error.message)
}
await checkpoint.close()

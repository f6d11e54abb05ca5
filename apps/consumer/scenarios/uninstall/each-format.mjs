/** @file Imports every entry that is named, and uses every format that is installed. */
import { existsSync } from 'node:fs'
import { tensor } from '@ao/base-tensor'
import { Linear, Sequential } from '@ao/nn'
import { Int4WeightOnlyConfig, quantize_ } from '@ao/quantize'
import { flattenTensorStateDict } from '@ao/safetensors'

const int4 = (packingFormat) => new Int4WeightOnlyConfig({ groupSize: 32, packingFormat })
const CONFIGS = {
  '@ao/int4': ({ Int4Tensor }) => int4(Int4Tensor),
  '@ao/int4-plain-int32': ({ Int4PlainInt32Tensor }) => int4(Int4PlainInt32Tensor),
  '@ao/int4-preshuffled': ({ Int4PreshuffledTensor }) => int4(Int4PreshuffledTensor),
  '@ao/int4-tile-packed-to-4d': ({ Int4TilePackedTo4dTensor }) => int4(Int4TilePackedTo4dTensor),
  '@ao/int8': ({ Int8WeightOnlyConfig }) => new Int8WeightOnlyConfig(),
}

for (const entry of process.argv.slice(2)) await import(entry)

const ones = (rows, columns) =>
  tensor(new Float32Array(rows * columns).fill(1), { shape: [rows, columns], dtype: 'bfloat16' })
const used = []
for (const [name, config] of Object.entries(CONFIGS)) {
  if (!existsSync(`node_modules/${name}`)) continue
  const model = new Sequential(new Linear(ones(64, 1024)))
  const { quantized } = await quantize_(model, config(await import(name)))
  model.forward(ones(1, 1024))
  flattenTensorStateDict(model.stateDict())
  used.push(quantized[0].format)
}
console.log(used.join(', '))

/** @file Imports every entry that is named, and uses every format found there, one line each. */
import { tensor } from '@ao/base-tensor'
import { Linear, Sequential } from '@ao/nn'
import { Int4WeightOnlyConfig, quantize_ } from '@ao/quantize'
import { flattenTensorStateDict } from '@ao/safetensors'

const int4 = (packingFormat) => new Int4WeightOnlyConfig({ groupSize: 32, packingFormat })
const CONFIGS = {
  Int4Tensor: int4,
  Int4PlainInt32Tensor: int4,
  Int4PreshuffledTensor: int4,
  Int4TilePackedTo4dTensor: int4,
  Float8Tensor: (_, { Float8WeightOnlyConfig }) => new Float8WeightOnlyConfig(),
  PrototypeFloat8Tensor: (_, { Float8StaticActivationFloat8WeightConfig }) =>
    new Float8StaticActivationFloat8WeightConfig({ actQuantScale: tensor([1]) }),
  Int8Tensor: (_, { Int8WeightOnlyConfig }) => new Int8WeightOnlyConfig(),
  IntxUnpackedToInt8Tensor: (_, { IntxWeightOnlyConfig }) =>
    new IntxWeightOnlyConfig({ weightDtype: 'int4' }),
  UIntxBitPackedTensor: (_, { UIntxWeightOnlyConfig }) => new UIntxWeightOnlyConfig(),
  UintxTensor: (_, { UIntXWeightOnlyConfig }) =>
    new UIntXWeightOnlyConfig({ dtype: 'uint3', groupSize: 64 }),
}

for (const entry of process.argv.slice(2)) {
  const exports = await import(entry)
  for (const format of Object.values(exports).filter(isFormat)) {
    const config = CONFIGS[format.formatName]
    if (!config) throw new Error(`Expected a config for ${format.formatName} in each-format.mjs.`)
    await use(config(format, exports))
    console.log(entry, format.formatName)
  }
}

function isFormat(value) {
  return typeof value === 'function' && Boolean(value.formatName)
}

/** Quantizes a model, runs it, and makes of it what a file holds. */
async function use(config) {
  const model = new Sequential(new Linear(ones(64, 1024)))
  const { quantized } = await quantize_(model, config)
  if (quantized.length !== 1) throw new Error('Expected a weight to be quantized.')
  model.forward(ones(1, 1024))
  flattenTensorStateDict(model.stateDict())
}

function ones(rows, columns) {
  const values = new Float32Array(rows * columns).fill(1)
  return tensor(values, { shape: [rows, columns], dtype: 'bfloat16' })
}

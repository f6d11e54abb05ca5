import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int8WeightOnlyConfig } from '@ao/int8'
import { computeError, FqnToConfig, Int4WeightOnlyConfig, quantize_ } from '@ao/quantize'
import { flattenTensorStateDict, writeSafetensors } from '@ao/safetensors'
import { fileSink } from '@ao/safetensors/node'
import { fingerprint, input, newModel } from './model.mjs'

const model = newModel()
const original = model.forward(input)
const { quantized } = await quantize_(
  model,
  new FqnToConfig({
    0: new Int8WeightOnlyConfig(),
    're:2': new Int4WeightOnlyConfig({ groupSize: 32, packingFormat: Int4PlainInt32Tensor }),
  }),
)
const { tensors, metadata } = flattenTensorStateDict(model.stateDict())
await writeSafetensors(await fileSink('model.safetensors'), tensors, metadata)

const sqnr = await computeError(original, model.forward(input))
const formats = quantized.map(({ name, format }) => `${name}: ${format}`)
console.log(`${formats.join(', ')}; SQNR ${sqnr.toFixed(1)} dB`)
console.log(await fingerprint(model))

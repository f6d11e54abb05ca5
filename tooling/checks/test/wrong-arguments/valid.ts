/** @file Arguments that functions take, of which the walk spoils one at a time. */
import { cast, cpu, tensor, zeros } from '../../../../packages/base-tensor/src/index.ts'
import { PerRow } from '../../../../packages/granularity/src/index.ts'
import { Int8Tensor, Int8WeightOnlyConfig } from '../../../../packages/int8/src/index.ts'
import { Linear } from '../../../../packages/nn/src/index.ts'
import * as files from '../../../../packages/safetensors/src/index.ts'
import { someWeight } from './values.ts'

const scales = () => tensor([[1], [1]])
const zeroPoints = () => tensor([[0], [0]], { dtype: 'int8' })
const model = { maxPositions: 8, numLayers: 1, numKeyValueHeads: 1, numHeads: 1, headDim: 4 }
const source = () => files.bytesSource(files.serializeSafetensors([['a', tensor([1, 2])]]))

/** By name; a method as `Class.static` or `Class#method`. */
export const VALID: Readonly<Record<string, () => readonly unknown[]>> = {
  fakeQuantizeFp8Row: () => [new Float32Array(8), 4],
  chooseQparamsAffine: () => [someWeight(), 'SYMMETRIC', [1, 64], 'int8', {}],
  quantizeAffine: () => [someWeight(), [1, 64], scales(), zeroPoints(), 'int8', {}],
  dequantizeAffine: () => [cast(someWeight(), 'int8'), [1, 64], scales(), undefined, 'int8', {}],
  fakeQuantizeAffine: () => [someWeight(), [1, 64], scales(), zeroPoints(), 'int8', {}],
  packNibbles: () => [new Uint8Array(4), true],
  linear: () => [someWeight(), someWeight(), tensor([1, 2])],
  embedding: () => [tensor([0, 1], { dtype: 'int64' }), someWeight()],
  layerNorm: () => [someWeight(), [64], zeros([64]), zeros([64]), 1e-5],
  rmsNorm: () => [someWeight(), zeros([64]), 1e-5],
  conv2d: () => [zeros([1, 2, 4, 4]), zeros([2, 2, 1, 1]), undefined, {}],
  'Int8Tensor.fromHp': () => [someWeight(), { granularity: PerRow() }],
  rope: () => [zeros([2, 1, 4]), zeros([8, 2]), zeros([8, 2]), 0],
  attention: () => [zeros([2, 1, 4]), zeros([8, 1, 4]), zeros([8, 1, 4]), 2],
  KVCache: () => [model, { dtype: 'float32', device: cpu, capacity: 4 }],
  quantize_: () => [new Linear(someWeight()), new Int8WeightOnlyConfig(), {}],
  quantizeStateDict: () => [new Map([['a.weight', someWeight()]]), new Int8WeightOnlyConfig(), {}],
  flattenTensorStateDict: () => [[['a.weight', Int8Tensor.fromHp(someWeight())]], {}],
  serializeSafetensors: () => [[['a', tensor([1, 2])]], {}],
  openSafetensors: () => [source(), {}],
  openCheckpointFile: () => [source(), 'model.safetensors', {}],
  openCheckpoint: () => [
    files.folderFrom('files', async (name) => (name.endsWith('.json') ? undefined : source())),
    {},
  ],
  planLayout: () => [[['a', { dtype: 'F32', shape: [2] }]], new Map([['format', 'pt']])],
}

/** @file What the calls are made with: values of every kind, and a few that some function takes. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as base from '../../../../packages/base-tensor/src/index.ts'
import { PerGroup, PerRow } from '../../../../packages/granularity/src/index.ts'
import { Int4Tensor } from '../../../../packages/int4/src/index.ts'
import { Int4PreshuffledTensor } from '../../../../packages/int4-preshuffled/src/index.ts'
import { Int8Tensor, Int8WeightOnlyConfig } from '../../../../packages/int8/src/index.ts'
import { LlamaForCausalLM, loadTokenizer } from '../../../../packages/llama/src/index.ts'
import { Embedding, Linear, Sequential } from '../../../../packages/nn/src/index.ts'
import { FqnToConfig } from '../../../../packages/quantize/src/index.ts'
import * as files from '../../../../packages/safetensors/src/index.ts'
import { directory } from '../../../../packages/safetensors/src/node.ts'

/** A value, and what a message calls it. */
export type Named = readonly [name: string, value: unknown]

const HUGE = 2 ** 20

/** Values of JavaScript, made anew, none of them of a class of ours. */
export const plain = (): Named[] => [
  ...[undefined, null, true, 0, 1, 2, -1, 1.5, NaN, Infinity, 2 ** 53].map(named),
  ...['', 'x', 'float32', 'int4', 'a/b', [], [1, 2], [2, 2], [1, 64], [0, 0]].map(named),
  ...[[[1], [2, 3]], ['a'], [undefined], [NaN], [HUGE, HUGE, HUGE], {}, { x: 1 }].map(named),
  ...[{ shape: [2, 2] }, { dtype: 'float32' }, { groupSize: 'x' }, { length: 2 }].map(named),
  ...[{ shape: [2, 2], dtype: 'float32' }, { type: 'PerRow' }, JSON.parse('{"then":1}')].map(named),
  ['10n', 10n],
  ['a symbol', Symbol('s')],
  ['[a symbol]', [Symbol('s')]],
  ['() => 1', () => 1],
  ['async () => 1', async () => 1],
  ['a class', Date],
  ['an object without a prototype', Object.create(null)],
  ['a Proxy', new Proxy({}, {})],
  ...[new Map(), new Set([1]), new Date(0), new Error('e'), /x/, Promise.resolve(1)].map(ofClass),
  ...[new Uint8Array(8), new ArrayBuffer(8), new Float32Array(4), new BigInt64Array(2)].map(
    ofClass,
  ),
  ...[new Blob(['x']), new URL('file:///x')].map(ofClass),
]

function named(value: unknown): Named {
  return [typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'undefined'), value]
}

function ofClass(value: object): Named {
  return [`a ${value.constructor.name}`, value]
}

const MODEL = join(import.meta.dirname, '../../../models/stories-4m')
const folder = directory(MODEL)
const tokenizer = await loadTokenizer(folder)
const checkpoint = await files.openCheckpoint(folder)
const model = await LlamaForCausalLM.fromPretrained(folder)
const empty = directory(mkdtempSync(join(tmpdir(), 'ao-wrong-')))

/** A weight (2, 64). */
export const someWeight = (): base.Tensor =>
  base.tensor(
    Array.from({ length: 2 }, (_, n) => Array.from({ length: 64 }, (_, k) => (n - k) / 64)),
  )

const PAIRS = [
  [1, 2],
  [3, 4],
]

/** Values of our classes, made anew: each is wrong in most places and right in some. */
export function samples(): Named[] {
  const weight = someWeight()
  const bits = base.cast(weight, 'bfloat16')
  const small = files.serializeSafetensors([['a', base.tensor([1, 2])]])
  return [
    ['float32 (2, 2)', base.tensor(PAIRS)],
    ['float32 (2)', base.tensor([1, 2])],
    ['float32 ()', base.tensor(1)],
    ['int8 (2, 2)', base.tensor(PAIRS, { dtype: 'int8' })],
    ['uint8 (2, 2)', base.tensor(PAIRS, { dtype: 'uint8' })],
    ['bfloat16 (2, 2)', base.tensor(PAIRS, { dtype: 'bfloat16' })],
    ['int64 (2)', base.tensor([1, 2], { dtype: 'int64' })],
    ['int32 (2)', base.tensor([1, 2], { dtype: 'int32' })],
    ['float32 (0, 4)', base.zeros([0, 4])],
    ['float32 (2, 2, 64)', base.zeros([2, 2, 64])],
    ['meta (2, 64)', base.zeros([2, 64], 'float32', base.meta)],
    ['float32 (2, 64)', weight],
    ['bfloat16 (2, 64)', bits],
    ['int8 weight', Int8Tensor.fromHp(weight)],
    ['int4 weight', Int4Tensor.fromHp(bits, { granularity: PerGroup(32) })],
    ['preshuffled weight', Int4PreshuffledTensor.fromHp(bits, { granularity: PerGroup(32) })],
    ['[tensors]', [weight, base.tensor(PAIRS)]],
    ['[[a, tensor]]', [['a', weight]]],
    ['{a: tensor}', { a: weight }],
    ['cpu', base.cpu],
    ['meta', base.meta],
    ['PerRow()', PerRow()],
    ['PerGroup(32)', PerGroup(32)],
    ['linear', base.linear],
    ['integerCodec', base.integerCodec],
    ['Int8Tensor', Int8Tensor],
    ['[Int8Tensor]', [Int8Tensor]],
    ['Linear', Linear],
    ['Int8WeightOnlyConfig', Int8WeightOnlyConfig],
    ['ValueError', base.ValueError],
    ['DenseTensor', base.DenseTensor],
    ['a config', new Int8WeightOnlyConfig()],
    ['an FqnToConfig', new FqnToConfig({ _default: new Int8WeightOnlyConfig() })],
    ['a Linear', new Linear(weight)],
    ['an Embedding', new Embedding(weight)],
    ['a Sequential', new Sequential(new Linear(weight))],
    ['a tokenizer', tokenizer],
    ['a text stream', tokenizer.stream()],
    ['a file', small],
    ['a source', files.bytesSource(small)],
    ['a memory folder', files.memoryFolder()],
    ['a folder', empty],
    ['a checkpoint', checkpoint],
  ]
}

/** Objects of ours whose methods are called: the samples, and a model. */
export function instances(): readonly (readonly [name: string, make: () => object])[] {
  const kept = samples().filter(
    ([, value]) => typeof value === 'object' && value !== null && !Array.isArray(value),
  )
  const made = kept
    .filter(([, value]) => !ArrayBuffer.isView(value) && (value as object).constructor !== Object)
    .map(
      ([name]) => [name, () => samples().find(([other]) => other === name)?.[1] as object] as const,
    )
  return [...made, ['a LlamaForCausalLM', () => model]]
}

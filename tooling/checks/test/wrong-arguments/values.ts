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

/** Values of JavaScript, none of them of a class of ours. */
export const PLAIN: readonly unknown[] = [
  ...[undefined, null, true, 0, 1, 2, -1, 1.5, NaN, Infinity, 10n],
  ...['', 'x', 'float32', 'int4', 'a/b', Symbol('s'), () => 1, async () => 1, class {}],
  ...[[], [1, 2], [2, 2], [[1], [2, 3]], ['a'], [undefined], [Symbol('s')], {}, { x: 1 }],
  ...[Object.create(null), { shape: [2, 2] }, { dtype: 'float32' }, { groupSize: 'x' }],
  ...[{ shape: [2, 2], dtype: 'float32' }, { type: 'PerRow' }, { then: 1 }, { length: 2 }],
  ...[new Map(), new Set([1]), new Date(0), new Error('e'), /x/, Promise.resolve(1)],
  ...[new Uint8Array(8), new ArrayBuffer(8), new Float32Array(4), new BigInt64Array(2)],
  ...[new Blob(['x']), new URL('file:///x'), new Proxy({}, {})],
]

const MODEL = join(import.meta.dirname, '../../../models/stories-4m')

/** Values of our classes, of which each is wrong in most places and right in some. */
export async function samples(): Promise<unknown[]> {
  const weight = base.tensor(
    Array.from({ length: 2 }, (_, n) => Array.from({ length: 64 }, (_, k) => (n - k) / 64)),
  )
  const tokenizer = await loadTokenizer(directory(MODEL))
  const small = files.serializeSafetensors([['a', base.tensor([1, 2])]])
  const checkpoint = await files.openCheckpoint(directory(MODEL))
  return [
    base.tensor([
      [0.5, -1],
      [0.25, 0.75],
    ]),
    base.tensor([1, 2]),
    base.tensor(1),
    base.tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { dtype: 'int8' },
    ),
    base.tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { dtype: 'bfloat16' },
    ),
    base.tensor([1, 2], { dtype: 'int64' }),
    base.zeros([0, 4]),
    base.zeros([2, 2, 64]),
    base.zeros([2, 64], 'float32', base.meta),
    weight,
    Int8Tensor.fromHp(weight),
    Int4Tensor.fromHp(base.cast(weight, 'bfloat16'), { blockSize: [1, 32] }),
    Int4PreshuffledTensor.fromHp(base.cast(weight, 'bfloat16'), { blockSize: [1, 32] }),
    ...[base.cpu, base.meta, PerRow(), PerGroup(32), base.linear, base.integerCodec],
    ...[Int8Tensor, Linear, Int8WeightOnlyConfig, base.ValueError, base.DenseTensor],
    new Int8WeightOnlyConfig(),
    new FqnToConfig({ _default: new Int8WeightOnlyConfig() }),
    ...[new Linear(weight), new Embedding(weight), new Sequential(new Linear(weight))],
    ...[tokenizer, tokenizer.stream(), small, files.bytesSource(small)],
    ...[files.memoryFolder(), directory(mkdtempSync(join(tmpdir(), 'ao-wrong-'))), checkpoint],
  ]
}

/** Objects of ours whose methods are called: the samples, and those that are too large to be arguments. */
export async function instances(): Promise<object[]> {
  const model = directory(MODEL)
  const kept = (await samples()).filter(
    (value) => typeof value === 'object' && value !== null && !ArrayBuffer.isView(value),
  )
  return [...(kept as object[]), await LlamaForCausalLM.fromPretrained(model)]
}

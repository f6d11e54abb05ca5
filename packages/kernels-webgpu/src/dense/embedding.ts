/** @file Rows of a table by id. */

import {
  cast,
  embedding,
  isFloatDType,
  itemSize,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { grid, kernel, type GPU, type Kernel } from '../kernel.ts'
import { wgsl } from '../program.ts'
import { rowParts } from '../row-parts.ts'
import source from './embedding.wgsl'

const program = /* @__PURE__ */ wgsl('embedding', source)

const ID_DTYPES: readonly StoredDType[] = ['int8', 'uint8', 'int32', 'int64']

/** Whether float32 has all numbers of `dtype`. */
const isInFloat32 = (dtype: StoredDType): boolean =>
  isFloatDType(dtype) || dtype === 'int8' || dtype === 'uint8'

/** Bytes of a row. */
const rowBytes = (weight: Tensor): number => (weight.shape[1] as number) * itemSize(weight.dtype)

export const embeddingKernel: Kernel = /* @__PURE__ */ kernel(embedding, [
  {
    name: 'words',
    when: 'rows of whole words, ids of int8, uint8, int32 or int64',
    fits: (_gpu, ids, weight) =>
      ID_DTYPES.includes(ids.dtype) && weight.ndim === 2 && rowBytes(weight) % 4 === 0,
    run: rowsByWord,
  },
  {
    name: 'by way of float32',
    when: 'a floating table or one of int8 or uint8, ids of int8, uint8, int32 or int64',
    fits: (_gpu, ids, weight) =>
      ID_DTYPES.includes(ids.dtype) && weight.ndim === 2 && isInFloat32(weight.dtype),
    run: (gpu, ids, weight) =>
      gpu.scope(() => cast(rowsByWord(gpu, ids, cast(weight, 'float32')), weight.dtype)),
  },
])

/** Ids outside of the table, which callers check before they upload them, give some row of it. */
function rowsByWord(gpu: GPU, ids: Tensor, weight: Tensor): Tensor {
  return gpu.scope(() => {
    const [vocabulary, width] = weight.shape as [number, number]
    const words = rowBytes(weight) / 4
    const index = gpu.dense(itemSize(ids.dtype) === 1 ? cast(ids, 'int32') : ids)
    const table = gpu.dense(weight)
    const out = gpu.empty([...ids.shape, width], weight.dtype)
    for (const { range, first, rows } of rowParts(gpu, table, 1)) {
      gpu.dispatch(program(), {
        bind: [index, range, out],
        params: [ids.numel, itemSize(index.dtype) / 4, words, first, rows, vocabulary],
        workgroups: grid(Math.ceil((ids.numel * words) / 64)),
      })
    }
    return out
  })
}

/** @file WebGPU kernels of this package's ops. */

import { numelOf } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import {
  int4Decoder,
  int4ZeroPointKernels,
  linearPrograms,
  packCodes,
  toBfloat16,
  unpackCodes,
  weightKernels,
  type CodeRows,
  type Int4Decoder,
  type LinearPrograms,
  type LinearTuningOptions,
  type StoredWeight,
} from '@ao/quantized-linear/webgpu'
import { TILE_COLUMNS } from './layout.ts'
import { dequantizeInt4Tiles, int4TiledLinear, type Int4TiledWeight } from './linear-ops.ts'
import { packInt4Tiles, tiledShape, unpackInt4Tiles, untiledShape } from './tiles.ts'
import qparams from './webgpu/qparams.wgsl'
import wordIndex from './webgpu/word-index.wgsl'

const decoder: Int4Decoder = /* @__PURE__ */ int4Decoder({
  name: 'int4_tile_packed_to_4d',
  order: 'spread',
  wordIndex,
  readsPastK: true,
  parts: ['pairs'],
  wgsl: qparams,
})
const programs: LinearPrograms = /* @__PURE__ */ linearPrograms(decoder)

function stored([codes, pairs, shape]: Int4TiledWeight): StoredWeight {
  const [n, k] = shape as [number, number]
  const [rows, columns] = untiledShape(codes.shape) as [number, number]
  return {
    n,
    k,
    groupSize: columns / (pairs.shape[0] as number),
    parts: { pairs, codes },
    rowBytes: columns / 2,
    defines: { PADDED_ROWS: rows, TILES: columns / TILE_COLUMNS },
  }
}

/** Codes of this shape, padded: rows of experts follow each other. */
function codeRows(shape: readonly number[]): CodeRows {
  const k = shape.at(-1) as number
  return { n: numelOf(shape) / k, k, defines: { TILES: k / TILE_COLUMNS } }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4TilePackedTo4dKernels(tuning?: LinearTuningOptions): KernelSet {
  const options = {
    linear: int4TiledLinear,
    dequantize: dequantizeInt4Tiles,
    stored,
    isExperts: ([, , shape]: Int4TiledWeight) => shape.length === 3,
    // Inputs are bfloat16 first, whatever their dtype.
    product: () => ({ rounding: toBfloat16 }),
  }
  return [
    ...weightKernels(programs, options, tuning),
    kernel(packInt4Tiles, [
      {
        name: 'pack',
        when: 'always',
        run: (gpu, codes) =>
          packCodes(gpu, decoder, codes, tiledShape(codes.shape), codeRows(codes.shape)),
      },
    ]),
    kernel(unpackInt4Tiles, [
      {
        name: 'unpack',
        when: 'always',
        run: (gpu, qdata) => {
          const shape = untiledShape(qdata.shape)
          return unpackCodes(gpu, decoder, qdata, shape, codeRows(shape))
        },
      },
    ]),
    ...int4ZeroPointKernels,
  ]
}

/** Kernels of {@link Int4TilePackedTo4dTensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4TilePackedTo4dKernels()

/** @file WebGPU kernels of this package's ops. */

import { numelOf, type Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import {
  byExperts,
  int4Dequantize,
  int4LinearVariants,
  int4Programs,
  mapNumbers,
  packCodes,
  type CodeRows,
  type Int4Product,
  type Int4Programs,
  type Int4Stored,
  type Int4TuningOptions,
  unpackCodes,
} from '@ao/quantized-linear/webgpu'
import { TILE_COLUMNS } from './layout.ts'
import { dequantizeInt4Tiles, int4TiledLinear, type Int4TiledWeight } from './linear-ops.ts'
import { valueOfMiddleCode } from './quantize.ts'
import { packInt4Tiles, tiledShape, unpackInt4Tiles, untiledShape } from './tiles.ts'
import layout from './webgpu/layout.wgsl'
import place from './webgpu/place.wgsl'

const programs: Int4Programs = /* @__PURE__ */ int4Programs({
  name: 'int4_tile_packed_to_4d',
  order: 'spread',
  place,
  numbers: ['pairs'],
  wgsl: layout,
})

/** What shared kernels need to know of a weight that stands for `shape`, (N, K). */
function stored([codes, pairs]: Int4TiledWeight, shape: readonly number[]): Int4Stored {
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

/** Inputs are bfloat16 first, whatever their dtype. */
function productOf(
  x: Tensor,
  weight: Int4TiledWeight,
  shape: readonly number[],
  bias: Tensor | undefined,
): Int4Product {
  return { x, weight: stored(weight, shape), bias, inputDtype: 'bfloat16' }
}

/** Codes of this shape, padded: rows of experts follow each other. */
function codeRows(shape: readonly number[]): CodeRows {
  const k = shape.at(-1) as number
  return { n: numelOf(shape) / k, k, defines: { TILES: k / TILE_COLUMNS } }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4TilePackedTo4dKernels(options?: Int4TuningOptions): KernelSet {
  return [
    kernel(int4TiledLinear, int4LinearVariants(programs, productOf, options)),
    kernel(dequantizeInt4Tiles, [
      {
        name: 'dequantize',
        when: 'always',
        run: (gpu, weight, shape, dtype) =>
          byExperts(gpu, weight, shape.length === 3, (expert) =>
            int4Dequantize(gpu, programs, stored(expert, shape.slice(-2)), dtype),
          ),
      },
    ]),
    kernel(packInt4Tiles, [
      {
        name: 'pack',
        when: 'always',
        run: (gpu, codes) =>
          packCodes(gpu, programs, codes, tiledShape(codes.shape), codeRows(codes.shape)),
      },
    ]),
    kernel(unpackInt4Tiles, [
      {
        name: 'unpack',
        when: 'always',
        run: (gpu, qdata) => {
          const shape = untiledShape(qdata.shape)
          return unpackCodes(gpu, programs, qdata, shape, codeRows(shape))
        },
      },
    ]),
    kernel(valueOfMiddleCode, [
      {
        name: 'map',
        when: 'always',
        run: (gpu, zeroPoint, scale) =>
          mapNumbers(gpu, '(8.0 - a) * b', zeroPoint, scale, scale.dtype),
      },
    ]),
  ]
}

/** Kernels of {@link Int4TilePackedTo4dTensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4TilePackedTo4dKernels()

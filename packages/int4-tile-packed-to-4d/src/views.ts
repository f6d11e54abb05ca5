/** @file Slices of a weight in whole tiles, and its experts. */

import { packedViews, type PackedViews } from '@ao/quantized-linear'
import {
  K_MULTIPLE,
  PACKAGE,
  TILE_COLUMNS,
  TILE_ROWS,
  type Int4TilePackedTo4dFields,
} from './layout.ts'

/** Along K, kernels take multiples of 1024 only: nothing else would be padded as they expect. */
export const tiledViews: PackedViews<Int4TilePackedTo4dFields> = /* @__PURE__ */ packedViews({
  packageName: PACKAGE,
  unit: () => ({ rows: TILE_ROWS, columns: K_MULTIPLE }),
  parts: ({ blockSize, actPreScale }) => ({
    qdata: { rows: [-4, 1], columns: [-3, K_MULTIPLE / TILE_COLUMNS] },
    scaleAndZero: {
      rows: [-2, TILE_ROWS],
      columns: [-3, K_MULTIPLE / (blockSize.at(-1) as number)],
    },
    actPreScale: {
      isPerExpert: false,
      ...(actPreScale?.numel !== 1 && { columns: [-1, K_MULTIPLE] }),
    },
  }),
})

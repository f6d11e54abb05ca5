/** @file Slices of a preshuffled weight, in whole bands and groups, and its experts. */

import { packedViews, type PackedViews } from '@ao/quantized-linear'
import { BAND_ROWS, PACKAGE, WORD_CODES, type Int4PreshuffledFields } from './layout.ts'

export const preshuffledViews: PackedViews<Int4PreshuffledFields> = /* @__PURE__ */ packedViews({
  packageName: PACKAGE,
  unit: ({ blockSize }) => ({ rows: BAND_ROWS, columns: blockSize.at(-1) as number }),
  parts: ({ blockSize }) => ({
    qdata: { rows: [-2, BAND_ROWS], columns: [-1, (blockSize.at(-1) as number) / WORD_CODES] },
    groupScale: { rows: [-3, 1], columns: [-2, 1] },
    groupZero: { rows: [-3, 1], columns: [-2, 1] },
    rowScale: { rows: [-2, 1] },
  }),
})

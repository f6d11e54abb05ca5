/** @file Views of weights whose codes lie in units, such as tiles of rows and columns, that nothing cuts. */

import {
  errorsOf,
  normalizeDim,
  ShapeError,
  sliceRange,
  takes,
  UnsupportedOpError,
  type DenseTensor,
} from '@ao/base-tensor'

/** What views look at in a weight. */
export interface PackedFields {
  readonly shape: readonly number[]
  readonly blockSize: readonly number[]
}

/** A dimension of a part, counted from its end, and how many of its elements belong to a unit. */
export type PartUnits = readonly [dim: number, elements: number]

/** How units of a weight (N, K) lie in one part; along what is left out, the part is one for all. */
export interface PackedPart {
  readonly rows?: PartUnits
  readonly columns?: PartUnits
  /** Whether experts have a part each, in its first dimension; they have unless given. */
  readonly isPerExpert?: boolean
}

/** How a format lays its units out. */
export interface PackedLayout<Fields extends PackedFields> {
  /** For errors. */
  readonly packageName: string
  /** Sizes of a unit, and its name for errors. */
  readonly unit: (fields: Fields) => { readonly rows: number; readonly columns: number }
  /** The parts that a weight has, by their names. */
  readonly parts: (fields: Fields) => Readonly<Record<string, PackedPart>>
}

/** Views of a weight (N, K), or (E, N, K): they share its storage, so that a loader can copy into them. */
export interface PackedViews<Fields> {
  /**
   * Elements `start` to `end` of a dimension: experts, rows or columns.
   *
   * @throws {@link ShapeError} unless it begins and ends between units; the weight's own end will do, and
   * takes the padding along
   * @throws {@link UnsupportedOpError} for steps
   */
  readonly slice: (
    fields: Fields,
    dim: number,
    start?: number,
    end?: number,
    step?: number,
  ) => Fields
  /**
   * One of the experts (E, N, K).
   *
   * @throws {@link UnsupportedOpError} for rows and columns, which share units
   */
  readonly select: (fields: Fields, dim: number, at: number) => Fields
}

/** Views that keep the law `dequantize(view(weight)) = view(dequantize(weight))`. */
/* @__NO_SIDE_EFFECTS__ */
export function packedViews<Fields extends PackedFields>(
  layout: PackedLayout<Fields>,
): PackedViews<Fields> {
  takes('o<packageName:x parts:f>', layout)
  const { packageName } = layout
  const unsupported = (expected: string, got: string): UnsupportedOpError =>
    errorsOf(packageName)(UnsupportedOpError, expected, got, 'Call dequantize() first.')

  const changed = (
    fields: Fields,
    change: (part: DenseTensor, units: PackedPart) => DenseTensor,
  ): Record<string, DenseTensor> =>
    Object.fromEntries(
      Object.entries(layout.parts(fields)).flatMap(([name, units]) => {
        const part = (fields as unknown as Record<string, DenseTensor | undefined>)[name]
        return part ? [[name, change(part, units)]] : []
      }),
    )

  return {
    slice: (fields, dim, start = 0, end = Infinity, step = 1) => {
      takes('onnnn', fields, dim, start, end, step)
      const { shape } = fields
      if (step !== 1) throw unsupported('a slice of step 1', `step ${step}`)
      const d = normalizeDim(dim, shape.length)
      const size = shape[d] as number
      const [from, to] = sliceRange(start, end, size)
      if (from === 0 && to === size) return fields
      const along = (['columns', 'rows'] as const)[shape.length - 1 - d]
      const unit = along ? layout.unit(fields)[along] : 1
      if (![from, to].every((at) => at % unit === 0 || at === size)) {
        throw errorsOf(packageName)(
          ShapeError,
          `a slice of dimension ${d} (size ${size}) at multiples of ${unit}`,
          `${from} to ${to}`,
          `Slice at multiples of ${unit}, or dequantize() first.`,
        )
      }
      const [first, last] = [Math.ceil(from / unit), Math.ceil(to / unit)]
      return {
        ...fields,
        shape: shape.with(d, to - from),
        ...changed(fields, (part, units) => {
          if (!along) return units.isPerExpert === false ? part : part.slice(0, first, last)
          const [partDim, elements] = units[along] ?? []
          if (partDim === undefined || elements === undefined) return part
          return part.slice(partDim, first * elements, last * elements)
        }),
      }
    },
    select: (fields, dim, at) => {
      takes('onn', fields, dim, at)
      const { shape, blockSize } = fields
      if (shape.length !== 3 || normalizeDim(dim, 3) !== 0) {
        throw unsupported(
          'dimension 0 of experts (E, N, K) to select from',
          `dimension ${dim} of [${shape.join(', ')}]`,
        )
      }
      return {
        ...fields,
        shape: shape.slice(1),
        blockSize: blockSize.slice(1),
        ...changed(fields, (part, { isPerExpert = true }) =>
          isPerExpert ? part.select(0, at) : part,
        ),
      }
    },
  }
}

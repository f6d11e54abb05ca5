/** @file What an int4 config asks of a packing format, whichever it is. */

import {
  ValueError,
  type DType,
  type Tensor,
  type TensorSubclass,
  type TensorSubclassType,
  takes,
} from '@ao/base-tensor'

/** How scales and zero points are chosen; torchao's `Int4ChooseQParamsAlgorithm`. */
export type Int4ChooseQparamsAlgorithm = 'TINYGEMM' | 'HQQ'

/** How an int4 format quantizes. */
export interface Int4FromHpOptions {
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  /** TINYGEMM unless given. */
  readonly chooseQparamsAlgorithm?: Int4ChooseQparamsAlgorithm | undefined
  /** Rows of a tile, for formats that have tiles. */
  readonly ntileSize?: number | undefined
  /** Whether to take a weight with NaN or infinities; false unless given. */
  readonly allowNonFinite?: boolean | undefined
}

/** The static side of an int4 format: a value that configs take. */
export interface Int4PackingFormat extends TensorSubclassType {
  /** torchao's member of `Int4PackingFormat`, such as `PLAIN_INT32`: the format's name in config JSON. */
  readonly packingFormat: string
  readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[]
  fromHp(weight: Tensor, options: Int4FromHpOptions): TensorSubclass
}

/**
 * Checks the algorithm, for formats that know but one.
 *
 * @throws {@link ValueError} for another than TINYGEMM
 */
export function checkTinygemm(
  algorithm: Int4ChooseQparamsAlgorithm | undefined,
  packageName: string,
): void {
  takes('x?x', algorithm, packageName)
  if (algorithm === undefined || algorithm === 'TINYGEMM') return
  throw new ValueError({
    package: packageName,
    expected: 'the algorithm TINYGEMM',
    got: algorithm,
    cure: 'HQQ goes with the tile-packed format.',
  })
}

/** What an input of `linear` is quantized to first: bfloat16 stands for not at all. */
export type Int4ActivationDType = 'bfloat16' | 'float8_e4m3fn'

/** Whether `dtype` is an {@link Int4ActivationDType}. */
export function isInt4ActivationDType(dtype: DType): dtype is Int4ActivationDType {
  takes('z', dtype)
  return dtype === 'bfloat16' || dtype === 'float8_e4m3fn'
}

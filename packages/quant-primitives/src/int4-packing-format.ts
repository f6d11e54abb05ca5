/** @file What an int4 config asks of a packing format, whichever it is. */

import type { Tensor, TensorSubclass, TensorSubclassType } from '@ao/base-tensor'

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
}

/** The static side of an int4 format: a value that configs take. */
export interface Int4PackingFormat extends TensorSubclassType {
  /** torchao's member of `Int4PackingFormat`, such as `PLAIN_INT32`: the format's name in config JSON. */
  readonly packingFormat: string
  readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[]
  fromHp(weight: Tensor, options: Int4FromHpOptions): TensorSubclass
}

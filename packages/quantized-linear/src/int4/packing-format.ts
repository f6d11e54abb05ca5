/** @file What an int4 config asks of a packing format, whichever it is. */

import { errorsOf, takes, ValueError, type DType, type TensorSubclass } from '@ao/base-tensor'
import type { Granularity } from '@ao/granularity'
import type { FormatClass, FromHpOptions } from '../format-class.ts'
import type { Int4Codes } from './codes.ts'

/** How scales and zero points are chosen; torchao's `Int4ChooseQParamsAlgorithm`. */
export type Int4ChooseQparamsAlgorithm = 'TINYGEMM' | 'HQQ'

/** How an int4 format quantizes. */
export interface Int4FromHpOptions extends FromHpOptions {
  /** PerGroup(n), or PerRow() for one group a row; PerGroup(128) unless given. */
  readonly granularity?: Granularity | undefined
  /** TINYGEMM unless given. */
  readonly chooseQparamsAlgorithm?: Int4ChooseQparamsAlgorithm | undefined
  /** Rows of a tile, for formats that have tiles. */
  readonly ntileSize?: number | undefined
}

/** A tensor of an int4 format: its codes may go to another. */
export interface Int4CodedTensor extends TensorSubclass {
  /** The codes, for another int4 format to take. */
  toCodes(): Int4Codes
}

/** The class of an int4 format: a value that configs take. */
export interface Int4PackingFormat<
  T extends Int4CodedTensor = Int4CodedTensor,
  Options extends Int4FromHpOptions = Int4FromHpOptions,
> extends FormatClass<T, Options> {
  /** torchao's member of `Int4PackingFormat`, such as `PLAIN_INT32`: the format's name in config JSON. */
  readonly packingFormat: string
  readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[]
  /** A tensor of codes that another int4 format gave. */
  fromCodes(codes: Int4Codes): T
}

/** The class of an int4 format that also quantizes for inputs that are rounded to float8. */
export interface Int4Float8Format<
  T extends Int4CodedTensor = Int4CodedTensor,
> extends Int4PackingFormat<T, Int4Float8FromHpOptions> {
  /** What inputs may be quantized to first. */
  readonly activationDtypes: readonly Int4ActivationDType[]
}

/** How such a format quantizes. */
interface Int4Float8FromHpOptions extends Int4FromHpOptions {
  /** float8_e4m3fn quantizes around zero, for inputs that are rounded to it; bfloat16 unless given. */
  readonly activationDtype?: Int4ActivationDType | undefined
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
  const cure = 'HQQ goes with the tile-packed format.'
  throw errorsOf(packageName)(ValueError, 'the algorithm TINYGEMM', algorithm, cure)
}

/** What an input of `linear` is quantized to first: bfloat16 stands for not at all. */
export type Int4ActivationDType = 'bfloat16' | 'float8_e4m3fn'

/** Whether `dtype` is an {@link Int4ActivationDType}. */
export function isInt4ActivationDType(dtype: DType): dtype is Int4ActivationDType {
  takes('z', dtype)
  return dtype === 'bfloat16' || dtype === 'float8_e4m3fn'
}

/** @file Packing formats of int4 as options of configs. */

import {
  decodeJson,
  rejectJson,
  stringCodec,
  takes,
  ValueError,
  type ConfigJsonContext,
  type ErrorMaker,
  type Json,
  type JsonCodec,
  type TensorSubclassType,
} from '@ao/base-tensor'
import type { Int4PackingFormat } from './packing-format.ts'

/**
 * Checks what a config was given as its packing format: torchao takes a name there, and callers without types may
 * expect the same.
 *
 * @param fail - the errors of the package that the config is in
 * @throws {@link ValueError} unless it is the class of a packing format
 */
export function checkPackingFormat(format: unknown, fail: ErrorMaker): void {
  takes('.f', format, fail)
  if (typeof format === 'function' && isPackingFormat(format as unknown as TensorSubclassType))
    return
  throw fail(
    ValueError,
    'packingFormat to be the class of a packing format, such as Int4Tensor of @ao/int4',
    typeof format === 'function' ? format.name : (JSON.stringify(format) ?? 'none'),
  )
}

function isPackingFormat(format: TensorSubclassType): format is Int4PackingFormat {
  return typeof (format as Partial<Int4PackingFormat>).packingFormat === 'string'
}

/**
 * Packing formats in config JSON: an enum of which any package may bring members: the classes in `formats`. Bare strings are their values:
 * lower case.
 */
export function packingFormatCodec(context: ConfigJsonContext): JsonCodec<Int4PackingFormat> {
  takes('o<formats:l>', context)
  const { formats } = context
  return {
    encode: ({ packingFormat }) => ({ _type: 'Int4PackingFormat', _data: packingFormat }),
    decode: (json, path) => {
      const name = typeof json === 'string' ? json.toUpperCase() : enumMember(json, path)
      const format = formats.filter(isPackingFormat).find((one) => one.packingFormat === name)
      if (format) return format
      const names = formats.map(({ formatName }) => formatName).join(', ')
      const cure = 'Import the class of that packing format and list it in `formats`.'
      return rejectJson(path, `that of a format given (${names || 'none'})`, name, cure)
    },
  }
}

function enumMember(json: Json, path: string): string {
  const { _type: type, _data: data } = json as { readonly [key: string]: Json }
  if (type !== 'Int4PackingFormat') rejectJson(path, 'an Int4PackingFormat', json)
  return decodeJson(stringCodec, data ?? null, `${path}._data`)
}

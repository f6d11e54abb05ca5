/** @file Configs of version 1, as torchao wrote them until its tensors replaced layouts. */

import { isJsonObject, rejectJson, type Json } from '@ao/base-tensor'

type Data = { readonly [key: string]: Json }

/** Takes a config's `_data` of version 1 to that of version 2. */
type Upgrade = (data: Data, path: string) => Data

/**
 * The `_data` of version 2 that means what `data` of version 1 does; undefined for configs that had no
 * version 1 that is known here.
 *
 * @throws {@link FormatError} for a field, or a value of one, that has no meaning any more
 */
export function fromVersion1(type: string, data: Data, path: string): Data | undefined {
  return Object.hasOwn(UPGRADES, type) ? UPGRADES[type]?.(data, path) : undefined
}

const UPGRADES: Readonly<Record<string, Upgrade>> = {
  Int4WeightOnlyConfig(data, path) {
    const { layout = null, use_hqq: useHqq = false, zero_point_domain: domain = null } = data
    const { preserve_zero: preserveZero = null, ...others } = data
    const kept = without(others, ['layout', 'use_hqq', 'zero_point_domain'])
    if (typeof useHqq !== 'boolean') rejectJson(`${path}.use_hqq`, 'true or false', useHqq)
    if (layout !== null) checkLayout(layout, 'TensorCoreTiledLayout', { inner_k_tiles: 8 }, path)
    if (!([null, 'NONE', 'FLOAT'] as readonly Json[]).includes(nameOf(domain))) {
      rejectJson(`${path}.zero_point_domain`, 'NONE or FLOAT', domain, CURE)
    }
    if (preserveZero === true) {
      rejectJson(`${path}.preserve_zero`, 'null or false', preserveZero, CURE)
    }
    return {
      int4_packing_format: 'tile_packed_to_4d',
      int4_choose_qparams_algorithm: useHqq === true ? 'hqq' : 'tinygemm',
      ...checkFields(kept, INT4_FIELDS, path),
    }
  },
  Int8WeightOnlyConfig(data, path) {
    const { group_size: groupSize = null, ...others } = data
    const kept = checkFields(others, ['set_inductor_config', 'granularity'], path)
    if (groupSize === null) return kept
    if (kept['granularity'] !== undefined) {
      rejectJson(`${path}.group_size`, 'null beside a granularity', groupSize, 'Leave one out.')
    }
    if (!Number.isSafeInteger(groupSize) || Number(groupSize) < 1) {
      rejectJson(`${path}.group_size`, 'null or a positive integer', groupSize)
    }
    return { ...kept, granularity: { _type: 'PerGroup', _data: { group_size: groupSize } } }
  },
  Int8DynamicActivationInt8WeightConfig(data, path) {
    const { layout = null, ...others } = data
    if (layout !== null) checkLayout(layout, 'PlainLayout', {}, path)
    return checkFields(others, INT8_DYNAMIC_FIELDS, path)
  },
}

/**
 * Fields of version 1, and what torchao 0.13 to 0.15 wrote for them beside the fields of version 2, which
 * go before them. Layouts and domains mean nothing there.
 */
const LEFT_OVER: Readonly<Record<string, Readonly<Record<string, Json | undefined>>>> = {
  Int4WeightOnlyConfig: {
    ...{ layout: undefined, zero_point_domain: undefined },
    ...{ use_hqq: false, preserve_zero: null },
  },
  Int8DynamicActivationInt8WeightConfig: { layout: undefined },
}

/**
 * The `_data` of version 2 without what is left over of version 1.
 *
 * @throws {@link FormatError} for a value that asks for something, which version 2 says otherwise
 */
export function withoutLeftOver(type: string, data: Data, path: string): Data {
  const fields = Object.hasOwn(LEFT_OVER, type) ? LEFT_OVER[type] : undefined
  if (!fields) return data
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || (data[key] ?? value) === value) continue
    rejectJson(`${path}.${key}`, `${JSON.stringify(value)} in version 2`, data[key], CURE_2)
  }
  return without(data, Object.keys(fields))
}

const INT4_FIELDS = [
  ...['group_size', 'set_inductor_config', 'int4_packing_format'],
  ...['int4_choose_qparams_algorithm', 'int4_tile_packed_ntile'],
]
const INT8_DYNAMIC_FIELDS = [
  ...['act_mapping_type', 'weight_only_decode', 'set_inductor_config', 'granularity'],
  'reduce_range',
]
const CURE_2 = 'Leave it out; int4_choose_qparams_algorithm says how scales are chosen.'
const CURE = 'Write version 2 of the config, which has other fields for what it can do.'

function checkFields(data: Data, known: readonly string[], path: string): Data {
  for (const [key, value] of Object.entries(data)) {
    if (!known.includes(key)) {
      rejectJson(`${path}.${key}`, `one of the fields ${known.join(', ')}`, value, CURE)
    }
  }
  return data
}

/** Only the layout whose packing formats of today have. */
function checkLayout(layout: Json, type: string, fields: Data, path: string): void {
  const { _type: got, _data: data = {} } = isJsonObject(layout) ? layout : {}
  const own = isJsonObject(data) ? data : {}
  const fits = Object.entries(own).every(([key, value]) => fields[key] === value)
  if (got === type && fits) return
  rejectJson(`${path}.layout`, `${type} ${JSON.stringify(fields)}`, layout, CURE)
}

function nameOf(value: Json): Json {
  return isJsonObject(value) ? (value['_data'] ?? null) : value
}

function without(data: Data, keys: readonly string[]): Data {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)))
}

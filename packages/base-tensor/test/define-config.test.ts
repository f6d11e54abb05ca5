import {
  booleanCodec,
  defineConfig,
  errorsOf,
  integerCodec,
  stringCodec,
  ValueError,
  type ConfigBase,
  type ConfigJsonContext,
  type JsonCodec,
} from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'

interface Fields {
  readonly groupSize: number
  readonly isFast: boolean
  readonly format: string | undefined
}

/** A format by its name, out of those listed. */
const formatCodec = ({ formats }: ConfigJsonContext): JsonCodec<string | undefined> => ({
  encode: (format) => format ?? null,
  decode: (json) => formats.find(({ formatName }) => formatName === json)?.formatName,
})

const Base: ConfigBase<Fields> = defineConfig<Fields>({
  name: 'RowsConfig',
  version: 3,
  fail: errorsOf('@ao/rows'),
  options: {
    groupSize: { codec: integerCodec, fallback: 32 },
    isFast: { codec: booleanCodec, jsonName: 'fast', fallback: false },
    format: { codec: formatCodec, jsonFallback: 'Rows' },
  },
  check: ({ groupSize }) => {
    if (groupSize < 1) throw errorsOf('@ao/rows')(ValueError, 'groups', groupSize)
  },
})

class RowsConfig extends Base {
  rows(): string {
    return `rows of ${this.groupSize}`
  }
}

const at = (formatName?: string): ConfigJsonContext => ({
  path: 'config',
  configs: [],
  formats: formatName === undefined ? [] : [{ formatName } as never],
})

describe('defineConfig', () => {
  it('makes a frozen value of options and defaults', () => {
    const config = new RowsConfig({ isFast: true })
    expect({ ...config }).toEqual({
      configName: 'RowsConfig',
      groupSize: 32,
      isFast: true,
      format: undefined,
    })
    expect(Object.isFrozen(config)).toBe(true)
    expect([RowsConfig.configName, RowsConfig.configVersion]).toEqual(['RowsConfig', 3])
    expect(config.rows()).toBe('rows of 32')
    expect(new RowsConfig({ groupSize: undefined } as never).groupSize).toBe(32)
  })

  it('refuses other options, and other types', () => {
    const make = (options: unknown) => () => new RowsConfig(options as never)
    expect(make({ fast: true })).toThrow(
      '[@ao/rows] Expected options among groupSize, isFast, format, got fast.',
    )
    expect(make('fast')).toThrow(
      '[@ao/rows] Expected an object of options of RowsConfig, got fast.',
    )
    expect(make({ isFast: 'no' })).toThrow('[@ao/rows] Expected a boolean as isFast, got no.')
    expect(make({ groupSize: '32' })).toThrow('[@ao/rows] Expected a number as groupSize, got 32.')
    expect(make({ groupSize: 0 })).toThrow(ValueError)
  })

  it('reads and writes JSON, and prints it', () => {
    const config = RowsConfig.fromJSON({ group_size: 8 }, at('Rows'))
    expect(config).toBeInstanceOf(RowsConfig)
    expect(config.rows()).toBe('rows of 8')
    const data = { group_size: 8, fast: false, format: 'Rows' }
    expect(config.toJSON()).toEqual({ _type: 'RowsConfig', _version: 3, _data: data })
    expect(String(config)).toBe(`RowsConfig(${JSON.stringify(data)})`)
    expect(RowsConfig.fromJSON(data, at()).format).toBeUndefined()
    expect(() => RowsConfig.fromJSON({ fast: 1 }, at())).toThrow('config.fast')
    expect(() => RowsConfig.fromJSON([], at())).toThrow('an object')
  })

  it('takes what a config says itself of its JSON', () => {
    const Names: ConfigBase<{ readonly names: string }> = defineConfig<{ readonly names: string }>({
      name: 'Names',
      version: 1,
      fail: errorsOf('@ao/rows'),
      options: { names: { codec: stringCodec } },
      json: {
        write: ({ names }) => names.split(','),
        read: (data) => ({ names: (data as string[]).join() }),
      },
    })
    const json = { _type: 'Names', _version: 1, _data: ['a', 'b'] }
    expect(new Names({ names: 'a,b' }).toJSON()).toEqual(json)
    expect(Names.fromJSON(json._data, at()).toJSON()).toEqual(json)
  })
})

import { readFileSync } from 'node:fs'
import { FormatError, type Json } from '@ao/base-tensor'
import { goldenPath, loadSpecGolden } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import {
  configFromJson,
  configToJson,
  FqnToConfig,
  readQuantizationConfig,
  toQuantizationConfig,
} from '../src/index.ts'
import { keepingConfig, StepConfig } from './stand-ins.ts'

const NAMES: readonly [string, number][] = [
  ['Int8WeightOnlyConfig', 2],
  ['Int8DynamicActivationInt8WeightConfig', 2],
  ['Int4WeightOnlyConfig', 2],
  ['Float8WeightOnlyConfig', 2],
  ['Float8DynamicActivationFloat8WeightConfig', 2],
  ['Float8DynamicActivationInt4WeightConfig', 1],
  ['IntxWeightOnlyConfig', 2],
  ['Int8DynamicActivationIntxWeightConfig', 2],
]
const configs = NAMES.map(([name, version]) => keepingConfig(name, version))
const roundTrip = (json: Json): Json => configToJson(configFromJson(json, { configs }))

describe('config JSON', () => {
  it('of torchao reads and writes back to the same text', () => {
    const mixed = JSON.parse(
      readFileSync(goldenPath('checkpoints/mixed/config.json'), 'utf8'),
    ) as Json
    const golden = [...(loadSpecGolden('config_json') as Json[]), mixed]
    expect(golden.length).toBeGreaterThan(12)
    for (const json of golden) expect(JSON.stringify(roundTrip(json))).toBe(JSON.stringify(json))
  })

  it('keeps the order of patterns', () => {
    const config = new FqnToConfig({
      're:b': new StepConfig(1),
      're:.*': null,
      a: new StepConfig(2),
    })
    const again = configFromJson(configToJson(config), { configs: [StepConfig] }) as FqnToConfig
    expect(Object.keys(again.fqnToConfig)).toEqual(['re:b', 're:.*', 'a'])
    expect(again.match('b.weight', false)?.config).toMatchObject({ step: 1 })
    expect(again.match('c.weight', false)).toMatchObject({ key: 're:.*', config: null })
  })

  const entry: Json = { _type: 'StepConfig', _version: 2, _data: { step: 3 } }
  it.each<[string, Json]>([
    [
      'fqn_to_config alone',
      { _type: 'FqnToConfig', _version: 1, _data: { fqn_to_config: { up: entry } } },
    ],
    [
      'its older name and field',
      { _type: 'ModuleFqnToConfig', _data: { module_fqn_to_config: { up: entry } } },
    ],
    [
      'its oldest name',
      { _type: 'AOPerModuleConfig', _version: 1, _data: { module_fqn_to_config: { up: entry } } },
    ],
    [
      'one field empty',
      {
        _type: 'FqnToConfig',
        _version: 1,
        _data: { fqn_to_config: {}, module_fqn_to_config: { up: entry } },
      },
    ],
  ])('reads FqnToConfig with %s', (_name, json) => {
    const read = configFromJson(json, { configs: [StepConfig] })
    expect(read).toEqual(new FqnToConfig({ up: new StepConfig(3) }))
    expect(configToJson(read)).toEqual({
      _type: 'FqnToConfig',
      _version: 1,
      _data: { fqn_to_config: { up: entry }, module_fqn_to_config: { up: entry } },
    })
  })

  it('reads an empty FqnToConfig', () => {
    expect(configFromJson({ _type: 'FqnToConfig', _data: {} }, { configs: [] })).toEqual(
      new FqnToConfig({}),
    )
  })

  const errors: [string, Json, string][] = [
    [
      'a config that is not listed',
      { _type: 'NF4Config', _version: 1, _data: {} },
      'Expected config to be one of the configs given (StepConfig, FqnToConfig, ModuleFqnToConfig, AOPerModuleConfig), got "NF4Config". Import NF4Config from the package of its format and list it in `configs`.',
    ],
    [
      'one below a key',
      {
        _type: 'FqnToConfig',
        _version: 1,
        _data: { fqn_to_config: { up: { _type: 'X', _data: {} } } },
      },
      "Expected config._data.fqn_to_config['up'] to be one of the configs given",
    ],
    [
      'another version',
      { _type: 'StepConfig', _version: 1, _data: { step: 1 } },
      'Expected config to be version 2 of StepConfig, got version 1. Pass onWarning to read it all the same: its fields may then mean something else.',
    ],
    [
      'no version, which is the first',
      { _type: 'StepConfig', _data: { step: 1 } },
      'Expected config to be version 2 of StepConfig, got version 1.',
    ],
    ['no type', { _data: {} }, 'Expected config to be an object with `_type`, got {"_data":{}}.'],
    ['a list', [1], 'Expected config to be an object with `_type`, got [1].'],
    [
      'no data',
      { _type: 'StepConfig', _version: 2 },
      'Expected config._data to be an object, got nothing.',
    ],
    [
      'a field of another kind',
      { _type: 'FqnToConfig', _version: 1, _data: { fqn_to_config: [] } },
      'Expected config._data.fqn_to_config to be an object, got [].',
    ],
    [
      'a slip beside _version',
      { _type: 'StepConfig', _versoin: 2, _data: { step: 1 } },
      'Expected config to be an object of _type, _version and _data, got "_versoin".',
    ],
    [
      'a misspelt field of FqnToConfig',
      { _type: 'FqnToConfig', _version: 1, _data: { fqn_to_confg: { up: null } } },
      'Expected config._data to be an object of fqn_to_config or module_fqn_to_config, got "fqn_to_confg".',
    ],
    [
      'two fields that differ',
      {
        _type: 'FqnToConfig',
        _version: 1,
        _data: { fqn_to_config: { up: null }, module_fqn_to_config: { down: null } },
      },
      'Expected config._data to hold the same in fqn_to_config and module_fqn_to_config, got two different objects. Leave one of them out.',
    ],
  ]
  it.each(errors)('refuses %s', (_name, json, message) => {
    const read = (): unknown => configFromJson(json, { configs: [StepConfig] })
    expect(read).toThrow(message)
    expect(read).toThrow(FormatError)
  })

  it.each([1, 3])(
    'reads version %d of a config of version 2 where someone is warned',
    (version) => {
      const warnings: string[] = []
      const json: Json = { _type: 'StepConfig', _version: version, _data: { step: 7 } }
      const config = configFromJson(
        { _type: 'FqnToConfig', _version: 1, _data: { fqn_to_config: { up: json } } },
        { configs: [StepConfig], onWarning: (message) => warnings.push(message) },
      )
      expect((config as FqnToConfig).fqnToConfig['up']).toEqual(new StepConfig(7))
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toContain(
        `config._data.fqn_to_config['up'] to be version 2 of StepConfig, got version ${version}`,
      )
    },
  )
})

describe('quantization_config of Hugging Face', () => {
  const stored: Json = {
    quant_method: 'torchao',
    quant_type: { default: { _type: 'StepConfig', _version: 2, _data: { step: 0.25 } } },
    modules_to_not_convert: ['lm_head'],
    include_input_output_embeddings: false,
    untie_embedding_weights: true,
  }
  const options = { configs: [StepConfig] }

  it('reads and writes', () => {
    const read = readQuantizationConfig(
      { model_type: 'llama', quantization_config: stored },
      options,
    )
    expect(read).toEqual({
      config: new StepConfig(0.25),
      modulesToNotConvert: ['lm_head'],
      includeInputOutputEmbeddings: false,
      untieEmbeddingWeights: true,
    })
    expect(toQuantizationConfig(new StepConfig(0.25), read)).toEqual(stored)
  })

  it('has what transformers writes by default', () => {
    const json = toQuantizationConfig(new StepConfig(0.25))
    expect(json).toMatchObject({ modules_to_not_convert: null, untie_embedding_weights: false })
    const read = readQuantizationConfig({ quantization_config: json }, options)
    expect(read?.modulesToNotConvert).toBeUndefined()
  })

  it('is undefined for models that are not quantized', () => {
    expect(readQuantizationConfig({ model_type: 'llama' }, options)).toBeUndefined()
    expect(readQuantizationConfig({ quantization_config: null }, options)).toBeUndefined()
  })

  const errors: [Json, string][] = [
    [[], 'Expected config.json to be an object, got [].'],
    [
      { quantization_config: { ...stored, untie_embedding_weights: 'true' } },
      'Expected quantization_config.untie_embedding_weights to be',
    ],
    [
      { quantization_config: { quant_method: 'gptq' } },
      'Expected quantization_config.quant_method to be "torchao", got "gptq".',
    ],
    [
      { quantization_config: { quant_method: 'torchao', quant_type: 'int4_weight_only' } },
      'Expected quantization_config.quant_type to be {"default": <config>}, got "int4_weight_only". Names such as "int4_weight_only" are from before torchao 0.10: save the model anew.',
    ],
    [
      {
        quantization_config: {
          quant_method: 'torchao',
          quant_type: { default: { _type: 'X', _data: {} } },
        },
      },
      'Expected quantization_config.quant_type.default to be one of the configs given',
    ],
    [
      { quantization_config: { ...stored, modules_to_not_convert: 'lm_head' } },
      'Expected quantization_config.modules_to_not_convert to be a list, got "lm_head".',
    ],
  ]
  it.each(errors)('refuses %j', (json, message) => {
    expect(() => readQuantizationConfig(json, options)).toThrow(message)
  })
})

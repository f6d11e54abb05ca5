import { describe, expect, it } from 'vitest'
import { readFloat32 } from '@ao/base-tensor'
import { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'
import { Int8Tensor } from '@ao/int8'
import type { Checkpoint } from '@ao/safetensors'
import {
  dataclass,
  enumValue,
  orderedDict,
  py,
  subclass,
  TorchSaver,
  type PyCall,
} from '@ao/test-data'
import { bytesOf, counting, messageOf, openTorch, partBytes } from './helpers.ts'

const IMPL = 'torchao.dtypes.uintx'
const domain = (value: number): PyCall =>
  enumValue('torchao.quantization.quant_primitives.ZeroPointDomain', value)
const [INT, FLOAT, NONE] = [1, 2, 3].map(domain)

/** `AffineQuantizedTensor`, as torchao 0.6 to 0.17 pickles it. */
function affine(
  shape: readonly number[],
  impl: PyCall,
  state: Readonly<Record<string, unknown>> = {},
  dtype = 'bfloat16',
): PyCall {
  return subclass('torchao.dtypes.affine_quantized_tensor.AffineQuantizedTensor', dtype, shape, {
    tensor_impl: impl,
    block_size: [1, shape[1]],
    quant_min: null,
    quant_max: null,
    zero_point_domain: INT,
    ...state,
  })
}

/** One whose inputs are quantized, too. */
function withInput(weight: PyCall, input: string, kwargs: Record<string, unknown> = {}): PyCall {
  return subclass(
    'torchao.quantization.linear_activation_quantized_tensor.LinearActivationQuantizedTensor',
    'bfloat16',
    [2, 4],
    {
      original_weight_tensor: weight,
      input_quant_func: py(`torchao.quantization.quant_api.${input}`),
      quant_kwargs: new Map(Object.entries(kwargs)),
    },
  )
}

const codes = bytesOf(Int8Array.of(-128, -2, -1, 0, 1, 2, 3, 127))
const scales = bytesOf(Float32Array.of(0.5, 2))
const zeros = bytesOf(BigInt64Array.of(0n, -3n))
const SYMMETRIC = '_int8_symm_per_token_reduced_range_quant'
const ASYMMETRIC = '_int8_asymm_per_token_quant'

/** The plain implementation of a (2, 4) weight. */
function plain(
  saver: TorchSaver,
  state: Readonly<Record<string, unknown>> = {},
  kind = 'Plain',
): PyCall {
  const name = kind === 'Plain' ? 'PlainAQTTensorImpl' : 'QDQTensorImpl'
  return subclass(`${IMPL}.plain_layout.${name}`, 'int8', [2, 4], {
    int_data: saver.tensor({ dtype: 'int8', shape: [2, 4], bytes: codes }),
    scale: saver.tensor({ dtype: 'float32', shape: [2], bytes: scales }),
    zero_point: saver.tensor({ dtype: 'int64', shape: [2], bytes: zeros }),
    _layout: dataclass(`torchao.dtypes.utils.${kind}Layout`),
    ...state,
  })
}

const open = (saver: TorchSaver, weight: PyCall): Promise<Checkpoint> =>
  openTorch(saver.file(orderedDict([['a.weight', weight]])))

/** The numbers that a weight of the classes that there are stands for. */
async function values(checkpoint: Checkpoint): Promise<number[]> {
  const tensor = await checkpoint.read('a.weight', { formats: [Int8Tensor] })
  return [...(await readFloat32((tensor as Int8Tensor).dequantize('float32')))]
}

describe('PlainLayout', () => {
  it('of int8 is Int8Tensor, with a zero point of int8', async () => {
    const saver = new TorchSaver()
    const checkpoint = await open(saver, affine([2, 4], plain(saver)))
    expect(await values(checkpoint)).toEqual([-64, -1, -0.5, 0, 8, 10, 12, 260])
    expect(checkpoint.description('a.weight')?.text).toBe(
      '{"_type": "Int8Tensor", "_data": {"act_quant_kwargs": null, "reduce_range": false, "block_size": [1, 4], ' +
        '"dtype": {"_type": "torch.dtype", "_data": "bfloat16"}}, "_tensor_data_names": ["zero_point", "qdata", "scale"]}',
    )
    expect(await partBytes(checkpoint, 'a._weight_zero_point')).toEqual([0, 253])
    expect(checkpoint.report.map(({ message }) => message)).toEqual([
      'AffineQuantizedTensor (PlainLayout) as Int8Tensor: "a.weight".',
    ])
  })

  it('without a zero point has none', async () => {
    const saver = new TorchSaver()
    const weight = affine([2, 4], plain(saver, { zero_point: null }), { zero_point_domain: NONE })
    const checkpoint = await open(saver, weight)
    expect(checkpoint.info('a.weight').parts.map(({ part }) => part)).toEqual(['qdata', 'scale'])
    expect((await values(checkpoint)).slice(4)).toEqual([2, 4, 6, 254])
  })

  it('in groups has a scale for each', async () => {
    const saver = new TorchSaver()
    const scale = saver.tensor({
      dtype: 'float32',
      shape: [2, 2],
      bytes: bytesOf(Float32Array.of(1, 2, 4, 8)),
    })
    const weight = affine([2, 4], plain(saver, { scale, zero_point: null }), { block_size: [1, 2] })
    expect(await values(await open(saver, weight))).toEqual([-128, -2, -2, 0, 4, 8, 24, 1016])
  })

  it.each([
    [SYMMETRIC, 'SYMMETRIC', ', inputs to -128..127 where they went to -127..127'],
    [ASYMMETRIC, 'ASYMMETRIC', ''],
  ])('with inputs by %s is dynamic', async (input, mapping, change) => {
    const saver = new TorchSaver()
    const checkpoint = await open(saver, withInput(affine([2, 4], plain(saver)), input))
    expect(checkpoint.info('a.weight').attributes['act_quant_kwargs']).toEqual({
      _type: 'QuantizeTensorToInt8Kwargs',
      _data: {
        granularity: { _type: 'PerRow', _data: { dim: -1 } },
        mapping_type: { _type: 'MappingType', _data: mapping },
        reduce_range: false,
      },
    })
    expect(checkpoint.report[0]?.message).toBe(
      `LinearActivationQuantizedTensor (PlainLayout) as Int8Tensor${change}: "a.weight".`,
    )
    const tensor = (await checkpoint.read('a.weight', { formats: [Int8Tensor] })) as Int8Tensor
    expect(tensor.actQuantKwargs?.mappingType).toBe(mapping)
  })

  it('of fewer bits is IntxUnpackedToInt8Tensor', async () => {
    const saver = new TorchSaver()
    const range = { quant_min: -8, quant_max: 7, zero_point_domain: NONE }
    const weight = affine([2, 4], plain(saver, { zero_point: null }), range)
    const checkpoint = await open(saver, withInput(weight, ASYMMETRIC))
    expect(checkpoint.info('a.weight')).toMatchObject({
      format: 'IntxUnpackedToInt8Tensor',
      attributes: {
        target_dtype: { _type: 'torch.dtype', _data: 'int4' },
        block_size: [1, 4],
        activation_quantization: 'int8_asym_per_token',
      },
    })
    expect(await partBytes(checkpoint, 'a._weight_zero_point')).toEqual([0, 0])
    expect(checkpoint.files.get('model.bin')?.tensors.get('a._weight_zero_point')?.shape).toEqual([
      2, 1,
    ])
  })

  it('whose zero point does not fit is refused when it is read', async () => {
    const saver = new TorchSaver()
    const zero_point = saver.tensor({
      dtype: 'int32',
      shape: [2],
      bytes: bytesOf(Int32Array.of(0, 128)),
    })
    const checkpoint = await open(saver, affine([2, 4], plain(saver, { zero_point })))
    expect(await messageOf(() => values(checkpoint))).toMatch(
      '"a._weight_zero_point" to fit into int8, got 128.',
    )
  })
})

it('QDQLayout is IntxUnpackedToInt8Tensor, also of 8 bits', async () => {
  const saver = new TorchSaver()
  const checkpoint = await open(saver, affine([2, 4], plain(saver, {}, 'QDQ')))
  expect(checkpoint.info('a.weight')).toMatchObject({
    format: 'IntxUnpackedToInt8Tensor',
    attributes: { target_dtype: { _data: 'int8' }, activation_quantization: null },
  })
})

describe('TensorCoreTiledLayout', () => {
  const packed = counting(8 * 1024 * 2).map((byte) => byte & 0xff)
  const scaleAndZero = bytesOf(Uint16Array.from({ length: 8 * 8 * 2 }, (_, i) => 0x3f80 + i))
  const tiled = (saver: TorchSaver, state: Readonly<Record<string, unknown>> = {}): PyCall =>
    subclass(
      `${IMPL}.tensor_core_tiled_layout.TensorCoreTiledAQTTensorImpl`,
      'int32',
      [1, 8, 32, 4],
      {
        packed_weight: saver.tensor({ dtype: 'int32', shape: [1, 8, 32, 4], bytes: packed }),
        scale_and_zero: saver.tensor({ dtype: 'bfloat16', shape: [8, 8, 2], bytes: scaleAndZero }),
        transposed: false,
        _layout: dataclass(`${IMPL}.tensor_core_tiled_layout.TensorCoreTiledLayout`, {
          inner_k_tiles: 8,
        }),
        ...state,
      },
    )
  const range = { quant_min: 0, quant_max: 15, zero_point_domain: FLOAT, block_size: [1, 128] }

  it('is Int4TilePackedTo4dTensor', async () => {
    const saver = new TorchSaver()
    const checkpoint = await open(saver, affine([8, 1024], tiled(saver), range))
    expect(checkpoint.description('a.weight')?.text).toBe(
      '{"_type": "Int4TilePackedTo4dTensor", "_data": {"block_size": [1, 128], "shape": [8, 1024]}, ' +
        '"_tensor_data_names": ["qdata", "scale_and_zero"]}',
    )
    expect(await partBytes(checkpoint, 'a._weight_qdata')).toEqual([...packed.slice(0, 4096)])
    const tensor = await checkpoint.read('a.weight', { formats: [Int4TilePackedTo4dTensor] })
    expect(tensor.shape).toEqual([8, 1024])
  })

  const inner = dataclass(`${IMPL}.tensor_core_tiled_layout.TensorCoreTiledLayout`, {
    inner_k_tiles: 4,
  })
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['inner_k_tiles 4', { _layout: inner }, {}],
    ['a transposed weight', { transposed: true }, {}],
    ['a zero point of the domain INT', {}, { zero_point_domain: INT }],
    ['codes of 0 to 7', {}, { quant_max: 7 }],
    ['other parts', { packed_weight: null }, {}],
    ['block_size a list of 1', {}, { block_size: [128] }],
  ])('is refused with %s', async (got, impl, state) => {
    const saver = new TorchSaver()
    const weight = affine([8, 1024], tiled(saver, impl), { ...range, ...state })
    expect(await messageOf(() => open(saver, weight))).toMatch(
      `Expected "a.weight" to be of a class that one of today has the bits of, got AffineQuantizedTensor (TensorCoreTiledLayout) with ${got}.`,
    )
  })

  it('of another dtype than bfloat16 is refused', async () => {
    const saver = new TorchSaver()
    expect(
      await messageOf(() => open(saver, affine([8, 1024], tiled(saver), range, 'float16'))),
    ).toMatch('with a weight of float16.')
  })
})

describe('what no class of today has is refused by its name', () => {
  it.each<[string, (saver: TorchSaver) => PyCall]>([
    ['codes of -5 to 5', (s) => affine([2, 4], plain(s), { quant_min: -5, quant_max: 5 })],
    [
      'a zero point of the domain FLOAT',
      (s) => affine([2, 4], plain(s), { zero_point_domain: FLOAT }),
    ],
    ['other parts', (s) => affine([4, 2], plain(s))],
    ['scales of shape [2]', (s) => affine([2, 4], plain(s), { block_size: [1, 2] })],
    [
      'a zero point of float32',
      (s) =>
        affine(
          [2, 4],
          plain(s, { zero_point: s.tensor({ dtype: 'float32', shape: [2], bytes: scales }) }),
        ),
    ],
    [
      'inputs quantized by _int8_symm_per_token_reduced_range_quant for codes of 4 bits',
      (s) => withInput(affine([2, 4], plain(s), { quant_min: -8, quant_max: 7 }), SYMMETRIC),
    ],
    [
      'LinearActivationQuantizedTensor with other parts',
      (s) => withInput(affine([2, 4], plain(s)), SYMMETRIC, { scale: 1 }),
    ],
    [
      'AffineQuantizedTensor with nothing',
      (s) =>
        affine([2, 4], null as never, {
          tensor_impl: null,
          x: s.tensor({ dtype: 'int8', shape: [1], bytes: codes }),
        }),
    ],
  ])('%s', async (got, weight) => {
    const saver = new TorchSaver()
    expect(await messageOf(() => open(saver, weight(saver)))).toContain(got)
  })

  it.each([
    ['torchao.dtypes.uintx.marlin_sparse_layout', 'MarlinSparseAQTTensorImpl'],
    ['torchao.dtypes.floatx.float8_layout', 'Float8AQTTensorImpl'],
    ['torchao.dtypes.nf4tensor', 'NF4Tensor'],
  ])('%s.%s', async (module, name) => {
    const saver = new TorchSaver()
    const impl = subclass(`${module}.${name}`, 'int8', [2, 4], {})
    expect(await messageOf(() => open(saver, affine([2, 4], impl)))).toMatch(
      `got "${module}.${name}". Save the model as safetensors with the version of torchao that wrote it.`,
    )
  })
})

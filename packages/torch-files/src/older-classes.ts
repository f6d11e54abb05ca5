/**
 * @file Tensors of torchao 0.17 and older as those of today, where the same bits mean the same.
 *
 * An `AffineQuantizedTensor` has an implementation for its layout, which has the parts; a
 * `LinearActivationQuantizedTensor` has one as its weight, and a function that quantizes inputs.
 *
 *     layout              codes                     today
 *     PlainLayout         int8, full range          Int8Tensor
 *     PlainLayout         int8, range of fewer bits IntxUnpackedToInt8Tensor
 *     QDQLayout           int8, any range           IntxUnpackedToInt8Tensor
 *     TensorCoreTiled...  int4 in tiles             Int4TilePackedTo4dTensor
 */

import { enumMember, fieldsOf } from './attributes.ts'
import { refuse } from './errors.ts'
import { describeValue, PickleDict } from './pickle.ts'
import { OLDER_CLASSES } from './torchao-names.ts'
import {
  AoClass,
  AoObject,
  AoTensor,
  Narrowed,
  TorchDType,
  TorchTensor,
  Zeros,
  type Part,
} from './values.ts'

/** A tensor of today, and what it was. */
export interface Converted {
  readonly tensor: AoTensor
  /** The older class and its layout, and what else changed; undefined for tensors of today. */
  readonly was?: string
}

/** Sizes that a layout may tell of; others need other kernels. */
const INNER_K_TILES = 8
const WEIGHT = 'AffineQuantizedTensor'
const WITH_INPUT = 'LinearActivationQuantizedTensor'

/**
 * The tensor of today with the same bits.
 *
 * @param what - the tensor's name in messages
 * @throws {@link FormatError} naming the layout and what no class of today has
 */
export function toToday(tensor: AoTensor, what: string): Converted {
  if (!OLDER_CLASSES.includes(tensor.type.name)) return { tensor }
  if (tensor.type.name !== WITH_INPUT) return convert(tensor, undefined, what)
  const weight = tensor.state.get('original_weight_tensor')
  const input = tensor.state.get('input_quant_func')
  const kwargs = tensor.state.get('quant_kwargs')
  const isPlain =
    kwargs === undefined || (kwargs instanceof PickleDict && kwargs.items.length === 0)
  if (!(weight instanceof AoTensor) || !(input instanceof AoClass) || !isPlain) {
    return unfit(what, `${WITH_INPUT} with other parts`)
  }
  return convert(weight, input.name, what)
}

function convert(tensor: AoTensor, input: string | undefined, what: string): Converted {
  const impl = tensor.state.get('tensor_impl') ?? tensor.state.get('layout_tensor')
  if (tensor.type.name !== WEIGHT || !(impl instanceof AoTensor)) {
    return unfit(what, `${tensor.type.name} with ${describeValue(impl)}`)
  }
  const old = new OlderWeight(tensor, impl, input, what)
  return impl.type.name.startsWith('TensorCoreTiled') ? old.tiled() : old.plain()
}

function unfit(what: string, got: string): never {
  return refuse(
    `${what} to be of a class that one of today has the bits of`,
    got,
    'Quantize the model that it was made of, or open it with the version of torchao that wrote it.',
  )
}

class OlderWeight {
  readonly #tensor: AoTensor
  readonly #impl: AoTensor
  /** Name of the function that quantizes inputs. */
  readonly #input: string | undefined
  readonly #what: string
  readonly #blockSize: readonly number[]

  constructor(tensor: AoTensor, impl: AoTensor, input: string | undefined, what: string) {
    this.#tensor = tensor
    this.#impl = impl
    this.#input = input
    this.#what = what
    const blockSize = tensor.state.get('block_size')
    const { shape } = tensor
    const fits =
      Array.isArray(blockSize) &&
      blockSize.length === shape.length &&
      blockSize.every(
        (size: unknown, d) =>
          typeof size === 'number' && size > 0 && (shape[d] as number) % size === 0,
      )
    this.#blockSize = fits ? blockSize : this.#unfit(`block_size ${describeValue(blockSize)}`)
  }

  /** tinygemm's tiles: two parts, which are called otherwise today. */
  tiled(): Converted {
    const { state } = this.#impl
    const layout = this.#layout()
    const tiles = layout && fieldsOf(layout).get('inner_k_tiles')
    const [qdata, scaleAndZero] = [state.get('packed_weight'), state.get('scale_and_zero')]
    if (tiles !== INNER_K_TILES) this.#unfit(`inner_k_tiles ${describeValue(tiles)}`)
    if (state.get('transposed') !== false) this.#unfit('a transposed weight')
    if (this.#domain() !== 'FLOAT') this.#unfit(`a zero point of the domain ${this.#domain()}`)
    if (this.#tensor.dtype.name !== 'bfloat16')
      this.#unfit(`a weight of ${this.#tensor.dtype.name}`)
    if (this.#range().join() !== '0,15') this.#unfit(`codes of ${this.#range().join(' to ')}`)
    if (this.#input !== undefined) this.#unfit(`inputs quantized by ${this.#input}`)
    const isTiled =
      qdata instanceof TorchTensor &&
      qdata.dtype.name === 'int32' &&
      scaleAndZero instanceof TorchTensor
    if (!isTiled) return this.#unfit('other parts')
    return this.#converted('Int4TilePackedTo4dTensor', [
      ['qdata', qdata],
      ['scale_and_zero', scaleAndZero],
    ])
  }

  /** Codes, scales and zero points as they are. */
  plain(): Converted {
    const { state } = this.#impl
    const [qdata, scale, zeroPoint] = [
      state.get('int_data'),
      state.get('scale'),
      state.get('zero_point'),
    ]
    const isCodes = qdata instanceof TorchTensor && qdata.dtype.name === 'int8'
    if (
      !isCodes ||
      qdata.shape.join() !== this.#tensor.shape.join() ||
      !(scale instanceof TorchTensor)
    ) {
      return this.#unfit('other parts')
    }
    if (this.#domain() === 'FLOAT') this.#unfit('a zero point of the domain FLOAT')
    const zero = zeroPoint instanceof TorchTensor ? this.#zeroPoint(zeroPoint) : undefined
    const parts: [string, Part][] = [
      ['qdata', qdata],
      ['scale', this.#blocks(scale)],
    ]
    if (zero) parts.push(['zero_point', zero])
    const bits = this.#bits()
    const isInt8 = bits === 8 && this.#impl.type.name.startsWith('Plain')
    return isInt8 ? this.#int8(parts) : this.#intx(parts, bits)
  }

  #int8(parts: readonly (readonly [string, Part])[]): Converted {
    const input = this.#input
    const state: (readonly [string, unknown])[] = [...parts, ['reduce_range', false]]
    if (input === undefined) return this.#converted('Int8Tensor', state)
    const isSymmetric = input === '_int8_symm_per_token_reduced_range_quant'
    if (!isSymmetric && input !== '_int8_asymm_per_token_quant')
      this.#unfit(`inputs quantized by ${input}`)
    const mapping = new AoObject(new AoClass('MappingType'), [isSymmetric ? 1 : 3])
    const granularity = made('PerRow', [['dim', -1]])
    const kwargs = made('QuantizeTensorToInt8Kwargs', [
      ['granularity', granularity],
      ['mapping_type', mapping],
      ['reduce_range', false],
    ])
    const change = isSymmetric ? ', inputs to -128..127 where they went to -127..127' : ''
    return this.#converted('Int8Tensor', [...state, ['act_quant_kwargs', kwargs]], change)
  }

  #intx(parts: readonly (readonly [string, Part])[], bits: number): Converted {
    const input = this.#input
    if (input !== undefined && input !== '_int8_asymm_per_token_quant') {
      this.#unfit(`inputs quantized by ${input} for codes of ${bits} bits`)
    }
    const hasZero = parts.some(([name]) => name === 'zero_point')
    return this.#converted('IntxUnpackedToInt8Tensor', [
      ...parts,
      ...(hasZero ? [] : [['zero_point', new Zeros(this.#blockShape())] as const]),
      ['target_dtype', new TorchDType(`int${bits}`)],
      ['activation_quantization', input === undefined ? null : 'int8_asym_per_token'],
    ])
  }

  #converted(name: string, state: readonly (readonly [string, unknown])[], change = ''): Converted {
    const { dtype, shape } = this.#tensor
    const tensor = new AoTensor(new AoClass(name), dtype, shape)
    tensor.state = new Map([...state, ['block_size', this.#blockSize]])
    const layout = this.#layout()?.type.name ?? this.#impl.type.name
    return {
      tensor,
      was: `${this.#input === undefined ? WEIGHT : WITH_INPUT} (${layout}) as ${name}${change}`,
    }
  }

  #layout(): AoObject | undefined {
    const layout = this.#impl.state.get('_layout') ?? this.#impl.state.get('layout_type')
    return layout instanceof AoObject ? layout : undefined
  }

  #domain(): string {
    const domain = this.#tensor.state.get('zero_point_domain')
    return (domain instanceof AoObject && enumMember(domain)) || 'NONE'
  }

  /** The least and the largest code. */
  #range(): readonly unknown[] {
    const { state } = this.#tensor
    return [state.get('quant_min') ?? -128, state.get('quant_max') ?? 127]
  }

  #bits(): number {
    const [least, most] = this.#range()
    for (let bits = 1; bits <= 8; bits++) {
      if (least === -(2 ** (bits - 1)) && most === 2 ** (bits - 1) - 1) return bits
    }
    return this.#unfit(`codes of ${describeValue(least)} to ${describeValue(most)}`)
  }

  /** Scales or zero points in the shape that they have today: one number for each block. */
  #blocks(tensor: TorchTensor): TorchTensor {
    const shape = this.#blockShape()
    const strides = shape.map((_, d) => product(shape.slice(d + 1)))
    const { storage, dtype, offset } = tensor
    const isOne = product(tensor.shape) === product(shape)
    const inOrder = tensor.shape.every(
      (size, d) => size === 1 || tensor.strides[d] === product(tensor.shape.slice(d + 1)),
    )
    if (!isOne || !inOrder) this.#unfit(`scales of shape [${tensor.shape.join(', ')}]`)
    return new TorchTensor(storage, dtype, offset, shape, strides)
  }

  #zeroPoint(tensor: TorchTensor): Part {
    const { name } = tensor.dtype
    if (name === 'int8') return this.#blocks(tensor)
    if (name === 'int32' || name === 'int64') return new Narrowed(this.#blocks(tensor))
    return this.#unfit(`a zero point of ${name}`)
  }

  #blockShape(): readonly number[] {
    return this.#tensor.shape.map((size, d) => size / (this.#blockSize[d] as number))
  }

  #unfit(got: string): never {
    const layout = this.#layout()?.type.name ?? this.#impl.type.name
    return unfit(this.#what, `${WEIGHT} (${layout}) with ${got}`)
  }
}

function made(name: string, fields: readonly (readonly [string, unknown])[]): AoObject {
  const object = new AoObject(new AoClass(name), [])
  object.state = new PickleDict()
  object.state.items.push(...fields.flat())
  return object
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1)
}

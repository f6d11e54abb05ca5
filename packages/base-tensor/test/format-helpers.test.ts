import { describe, expect, it } from 'vitest'
import {
  addBiasThenRound,
  bmm,
  bmmByExperts,
  checkBias,
  checkDType,
  checkShape,
  expectFormat,
  hostArray,
  hostFloat32,
  implementOnFields,
  linear,
  mul,
  sliceRange,
  tensor,
  TensorSubclass,
  transpose,
  zeros,
  type DenseTensor,
  type OpImplementation,
} from '@ao/base-tensor'
import { messageOf, numbers } from './support.ts'

/** Half of whole numbers. */
class Halves extends TensorSubclass {
  static override readonly formatName: string = 'Halves'
  static override readonly tensorDataNames: readonly string[] = ['qdata']
  static override readonly ops: readonly OpImplementation[] = [
    implementOnFields(transpose, ({ qdata }: { readonly qdata: DenseTensor }, a, b) => ({
      qdata: qdata.transpose(a, b),
    })),
  ]

  declare readonly qdata: DenseTensor

  constructor(fields: { readonly qdata: DenseTensor }) {
    super(fields, fields.qdata.shape, 'float32')
  }

  override dequantize(): DenseTensor {
    return mul(this.qdata, tensor(0.5)) as DenseTensor
  }
}

class NamedHalves extends Halves {}

describe('op tables', () => {
  const qdata = tensor([[1, 2, 3]])

  it('make results of the class that the tensor has', () => {
    const turned = transpose(new NamedHalves({ qdata }), 0, 1)
    expect(turned).toBeInstanceOf(NamedHalves)
    expect(turned.shape).toEqual([3, 1])
    expect(numbers((turned as Halves).dequantize())).toEqual([0.5, 1, 1.5])
  })

  it('take weights of the class, and of those made from it', () => {
    const named = new NamedHalves({ qdata })
    expect(expectFormat(named, Halves, '@ao/halves')).toBe(named)
    expect(messageOf(() => expectFormat(qdata, Halves, '@ao/halves'))).toMatchInlineSnapshot(
      `"[@ao/halves] Expected a weight of the format Halves, and no other quantized tensor beside it, got tensor([1, 3], dtype=float32). Call dequantize() on the other one."`,
    )
  })
})

describe('linear and bmm of formats', () => {
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8], { shape: [2, 2, 2] })
  const experts = tensor([1, 0, 2, 1, 3, 2, 1, 1, 0, 1, 2, 5], { shape: [2, 3, 2] })

  it('multiply experts one by one', () => {
    const product = bmmByExperts(x, experts, linear, '@ao/halves')
    expect(product.shape).toEqual([2, 2, 3])
    expect(numbers(product)).toEqual(numbers(bmm(x, experts.transpose(1, 2))))
  })

  it('say which inputs go with experts', () => {
    const wrong = [zeros([3, 2, 2]), zeros([2, 2, 3]), zeros([2, 2])]
    for (const input of wrong) {
      expect(() => bmmByExperts(input, experts, linear, '@ao/halves')).toThrow('experts (E, N, K)')
    }
    expect(
      messageOf(() => bmmByExperts(x, experts.select(0, 0), linear, '@ao/halves')),
    ).toMatchInlineSnapshot(
      `"[@ao/halves] Expected an input (E, M, K) and experts (E, N, K) for bmm, got [2, 2, 2] and [3, 2]."`,
    )
  })

  it('add a bias before they round', () => {
    // 257 is a tie between bfloat16 numbers, and goes to 256; 257 + 1 is one.
    const bias = tensor([1], { dtype: 'bfloat16' })
    const rounded = (dtype: 'bfloat16' | 'float16', own?: DenseTensor, product = 257): number[] => [
      ...hostFloat32(addBiasThenRound(Float32Array.of(product), [1, 1], dtype, own)),
    ]
    expect(rounded('bfloat16')).toEqual([256])
    expect(rounded('bfloat16', bias)).toEqual([258])
    expect(rounded('float16', undefined, 70000)).toEqual([Infinity])
    expect(rounded('float16', tensor([-60000]), 70000)).toEqual([10000])
  })

  it('leave a bias of float32 as it was', () => {
    const bias = tensor([1])
    addBiasThenRound(Float32Array.of(2, 3), [2, 1], 'float32', bias)
    expect([...hostArray(bias)]).toEqual([1])
  })
})

describe('parts of formats', () => {
  const part = zeros([2, 3], 'int8')

  it('are checked', () => {
    checkDType('qdata', part, 'int8', '@ao/halves')
    checkShape('qdata', part, [2, 3], '@ao/halves')
    checkBias(undefined, 4, '@ao/halves')
    checkBias(zeros([4]), 4, '@ao/halves')
    expect([
      messageOf(() => checkDType('qdata', part, ['uint8', 'int32'], '@ao/halves')),
      messageOf(() => checkShape('qdata', part, [3, 2], '@ao/halves')),
      messageOf(() => checkBias(zeros([3]), 4, '@ao/halves')),
    ]).toMatchInlineSnapshot(`
      [
        "[@ao/halves] Expected qdata of uint8 or int32, got int8.",
        "[@ao/halves] Expected qdata of shape [3, 2], got [2, 3].",
        "[@ao/halves] Expected a bias of 4 elements, got shape [3].",
      ]
    `)
  })

  it.each([
    [0, Infinity, [0, 5]],
    [-2, 99, [3, 5]],
    [4, 2, [4, 4]],
    [-99, -1, [0, 4]],
  ])('are sliced from %d to %d of 5', (start, end, range) => {
    expect(sliceRange(start, end, 5)).toEqual(range)
  })
})

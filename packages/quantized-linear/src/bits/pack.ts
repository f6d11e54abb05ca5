/** @file Codes of n bits in words, and back: the form in which devices hold them. */

import { defineOp, fromArray, hostArray, zeros, type Op, type Tensor } from '@ao/base-tensor'

const packedShape = ({ shape }: Tensor, bits: number): number[] =>
  shape.with(-1, ((shape.at(-1) as number) * bits) / 32)
const unpackedShape = ({ shape }: Tensor, bits: number): number[] =>
  shape.with(-1, ((shape.at(-1) as number) * 32) / bits)

/** int8 (..., K), codes of `bits` bits, as int32 (..., K bits / 32), a whole number. */
export const packBits: Op<[codes: Tensor, bits: number], Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.packBits',
  takes: 'tn',
  reference: (codes: Tensor, bits: number): Tensor => {
    const source = hostArray(codes) as Int8Array
    const shape = packedShape(codes, bits)
    const words = new Int32Array((source.length * bits) / 32)
    const mask = (1 << bits) - 1
    for (let i = 0, bit = 0; i < source.length; i++, bit += bits) {
      const code = (source[i] as number) & mask
      const [word, shift] = [Math.floor(bit / 32), bit % 32]
      words[word] = (words[word] as number) | (code << shift)
      if (shift + bits > 32) words[word + 1] = code >> (32 - shift)
    }
    return fromArray(words, shape, 'int32')
  },
  meta: (codes, bits) => zeros(packedShape(codes, bits), 'int32', codes.device),
})

/**
 * {@link packBits} undone: int8 (..., K).
 *
 * @param isSigned - whether codes are in two's complement; they are from 0 on otherwise
 */
export const unpackBits: Op<[words: Tensor, bits: number, isSigned: boolean], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'quantized_linear.unpackBits',
    takes: 'tn.',
    reference: (words: Tensor, bits: number, isSigned: boolean): Tensor => {
      const codes = unpackWords(hostArray(words) as Int32Array, bits, isSigned)
      return fromArray(codes, unpackedShape(words, bits), 'int8')
    },
    meta: (words, bits) => zeros(unpackedShape(words, bits), 'int8', words.device),
  })

/** The codes in `words`. */
function unpackWords(words: Int32Array, bits: number, isSigned: boolean): Int8Array {
  const codes = new Int8Array((words.length * 32) / bits)
  const unused = 32 - bits
  for (let i = 0, bit = 0; i < codes.length; i++, bit += bits) {
    const [word, shift] = [Math.floor(bit / 32), bit % 32]
    const high = shift + bits > 32 ? (words[word + 1] as number) << (32 - shift) : 0
    const top = (((words[word] as number) >>> shift) | high) << unused
    codes[i] = isSigned ? top >> unused : top >>> unused
  }
  return codes
}

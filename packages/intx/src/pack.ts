/** @file Codes of n bits in words, and back: the form in which devices hold them. */

import { defineOp, fromArray, hostArray, zeros, type Op, type Tensor } from '@ao/base-tensor'

type Args = [codes: Tensor, bits: number]

const packedShape = ({ shape }: Tensor, bits: number): number[] =>
  shape.with(-1, ((shape.at(-1) as number) * bits) / 32)
const unpackedShape = ({ shape }: Tensor, bits: number): number[] =>
  shape.with(-1, ((shape.at(-1) as number) * 32) / bits)

/** int8 (..., K), codes of `bits` bits in two's complement, as int32 (..., K bits / 32), a whole number. */
export const packIntx: Op<Args, Tensor> = /* @__PURE__ */ defineOp({
  name: 'intx.pack',
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

/** {@link packIntx} undone: int8 (..., K). */
export const unpackIntx: Op<Args, Tensor> = /* @__PURE__ */ defineOp({
  name: 'intx.unpack',
  takes: 'tn',
  reference: (words: Tensor, bits: number): Tensor => {
    const codes = unpackWords(hostArray(words) as Int32Array, bits)
    return fromArray(codes, unpackedShape(words, bits), 'int8')
  },
  meta: (words, bits) => zeros(unpackedShape(words, bits), 'int8', words.device),
})

/** The codes in `words`. */
function unpackWords(words: Int32Array, bits: number): Int8Array {
  const codes = new Int8Array((words.length * 32) / bits)
  const unused = 32 - bits
  for (let i = 0, bit = 0; i < codes.length; i++, bit += bits) {
    const [word, shift] = [Math.floor(bit / 32), bit % 32]
    const high = shift + bits > 32 ? (words[word + 1] as number) << (32 - shift) : 0
    codes[i] = ((((words[word] as number) >>> shift) | high) << unused) >> unused
  }
  return codes
}

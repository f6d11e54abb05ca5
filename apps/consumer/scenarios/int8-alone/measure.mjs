const N = 64
const K = 256

/** Quantizes a weight, runs linear with it and without, and says how far apart the results are. */
export async function measure({ Int8Tensor, linear, PerRow, readFloat32, tensor }, device) {
  const weight = tensor(noise(N * K, 1), { shape: [N, K] })
  const x = tensor(noise(4 * K, 2), { shape: [4, K] })
  const quantized = Int8Tensor.fromHp(weight, { granularity: PerRow() })
  const expected = await readFloat32(linear(x, weight))
  const operands = device ? [await x.to(device), await quantized.to(device)] : [x, quantized]
  const got = await readFloat32(linear(...operands))
  const power = (values) => values.reduce((sum, value) => sum + value ** 2, 0)
  const difference = expected.map((value, i) => value - got[i])
  return `SQNR ${(10 * Math.log10(power(expected) / power(difference))).toFixed(2)} dB`
}

/** Numbers between -1 and 1, the same everywhere. */
function noise(length, seed) {
  let state = seed
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

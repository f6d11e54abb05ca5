/**
 * @file MLC's `q4f16_1`, the quantization of web-llm's models: groups of 32.
 *
 *     qWeight uint32 (N, K / 8)     bit 31..28 | 27..24 | ... | 7..4 | 3..0
 *     word i of a row               code 8i+7  | 8i+6   | ... | 8i+1 | 8i
 *     qScale  float16 (N, K / 32)
 *
 *     value = (code - 7) * scale
 *
 * MLC's own quantizer uses codes 0..14 and scales above 0; its kernels compute with all sixteen codes and with
 * scales of either sign.
 */

import { fromFloat32Array, ShapeError, toFloat32Array, takes } from '@ao/base-tensor'
import { packNibbles, unpackNibbles } from '@ao/quantized-linear'
import { type Int4Codes } from '@ao/quantized-linear'
import { INT4_CENTER, INT4_RANGE, readInt4Codes, writeInt4Codes } from './codes.ts'
import { PACKAGE } from './errors.ts'
import { fitAround } from './fit.ts'
import { splitGroups } from './groups.ts'
import { measureRounding, type Converted, type RoundingOptions } from './rounding.ts'

/** A weight in `q4f16_1`: the parameters `q_weight` and `q_scale` of an MLC linear layer. */
export interface MlcQ4f16 {
  /** (N, K / 8) */
  readonly qWeight: Uint32Array
  /** float16 bits, (N, K / 32) */
  readonly qScale: Uint16Array
  /** (N, K) */
  readonly shape: readonly [number, number]
}

const GROUP_SIZE = 32
const CENTER = 7

/**
 * A 4-bit weight (N, K) in MLC's `q4f16_1`.
 *
 * @remarks Exact for symmetric codes, all sixteen of them: a group with code 0 (value -8) is written upside
 * down, with a scale below 0. Exact as well for integer zero points whose groups span at most -7..8 or -8..7.
 * Larger groups are split exactly. What has to be rounded: scales beyond float16's precision, and groups of
 * other zero points, which are quantized anew around 0.
 *
 * @throws {@link ValueError} when something is rounded without `allowRounding`, or the group size is no
 * multiple of 32
 */
export function toMlcQ4f16(codes: Int4Codes, options: RoundingOptions = {}): MlcQ4f16 & Converted {
  takes('o<codes:t scale:t groupSize:n dtype:z>o{allowRounding}?', codes, options)
  const source = splitGroups(readInt4Codes(codes), GROUP_SIZE)
  const target = fitAround(source, INT4_RANGE, CENTER)
  const sqnr = measureRounding(
    source,
    target,
    'float16 scales and values of at most -7..8 or -8..7 scales in each group',
    options,
  )
  return {
    qWeight: new Uint32Array(packNibbles(target.codes).buffer),
    qScale: fromFloat32Array(target.scale, 'float16') as Uint16Array,
    shape: [source.n, source.k],
    sqnr,
  }
}

/**
 * The symmetric codes of a weight in MLC's `q4f16_1`: exact, and {@link toMlcQ4f16} gives the same bits back.
 *
 * @throws {@link ShapeError} unless the parts fit the shape
 */
export function fromMlcQ4f16(weight: MlcQ4f16): Int4Codes {
  takes('o<qWeight:a qScale:a shape:s>', weight)
  const { qWeight, qScale, shape } = weight
  const [n, k] = shape
  if (qWeight.length * 8 !== n * k || qScale.length * GROUP_SIZE !== n * k || k % GROUP_SIZE) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `K of a multiple of 32 with N * K / 8 words and N * K / 32 scales`,
      got: `[${n}, ${k}] with ${qWeight.length} words and ${qScale.length} scales`,
    })
  }
  const scale = toFloat32Array(qScale, 'float16')
  const groups = {
    ...{ n, k, groupSize: GROUP_SIZE, scale },
    codes: unpackNibbles(new Uint8Array(qWeight.buffer, qWeight.byteOffset, qWeight.byteLength)),
    zeroPoint: new Float64Array(scale.length).fill(CENTER),
  }
  return writeInt4Codes(fitAround(groups, INT4_RANGE, INT4_CENTER), 'float16')
}

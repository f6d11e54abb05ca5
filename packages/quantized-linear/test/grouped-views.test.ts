import { asDense, hostArray, hostFloat32, tensor } from '@ao/base-tensor'
import { packInt4, quantizeInt4Groupwise, unpackInt4 } from '@ao/quant-primitives'
import { describe, expect, it } from 'vitest'
import {
  catGroups,
  checkGroupedShapes,
  groupBlockSize,
  selectGroups,
  sliceGroups,
  transposeGroups,
  viewGroups,
  type Int4GroupedFields,
} from '../src/index.ts'

const PACKAGE = '@acme/int4'
const [E, N, K, GROUP] = [2, 3, 16, 4]

/** A weight (E, N, K). */
function weight(): Int4GroupedFields {
  const values = Array.from({ length: E * N * K }, (_, i) => Math.sin(i * i))
  const { codes, scale, zeroPoint } = quantizeInt4Groupwise(tensor(values).view([E, N, K]), GROUP)
  return {
    qdata: asDense(packInt4(codes)),
    scale: asDense(scale),
    zeroPoint: asDense(zeroPoint),
    blockSize: groupBlockSize(3, GROUP),
    shape: [E, N, K],
  }
}

/** Codes, and the scale of each, of rows that lie as (..., N, K). */
function numbers({ qdata, scale }: Int4GroupedFields): [code: number, scale: number][] {
  const codes = hostArray(unpackInt4(qdata.contiguous())) as Uint8Array
  const scales = hostFloat32(scale.transpose(-2, -1).contiguous())
  return Array.from(codes, (code, i) => [code, scales[Math.floor(i / GROUP)] as number])
}

describe('views of weights in groups', () => {
  const whole = weight()
  const all = numbers(whole)

  it('slices rows and groups with their scales', () => {
    const rows = sliceGroups(PACKAGE)(whole, 1, 1, 3)
    const part = sliceGroups(PACKAGE)(rows, 2, GROUP, 3 * GROUP)
    checkGroupedShapes(part, PACKAGE)
    const expected = all.filter((_, i) => Math.floor(i / K) % N >= 1 && i % K >= 4 && i % K < 12)
    expect(numbers(part)).toEqual(expected)
    expect(() => sliceGroups(PACKAGE)(whole, 2, 1, 5)).toThrow('whole groups of 4')
  })

  it('selects an expert, and transposes it there and back', () => {
    const expert = selectGroups(PACKAGE)(whole, 0, 1)
    const turned = transposeGroups(expert, 0, 1)
    checkGroupedShapes(turned, PACKAGE)
    expect(turned.blockSize).toEqual([GROUP, 1])
    expect(numbers(transposeGroups(turned, 0, 1))).toEqual(all.slice(N * K))
    expect(() => selectGroups(PACKAGE)(expert, 1, 0)).toThrow('without groups to select from')
  })

  it('shows experts as rows, and joins what it cut', () => {
    const rows = viewGroups<Int4GroupedFields>(PACKAGE)(whole, [E * N, K])
    expect(numbers(rows)).toEqual(all)
    const halves = [0, E].map((from) =>
      sliceGroups<Int4GroupedFields>(PACKAGE)(rows, 0, from, from ? E * N : E),
    )
    const joined = catGroups(halves, 0, () => ({}), PACKAGE)
    checkGroupedShapes(joined, PACKAGE)
    expect(numbers(joined)).toEqual(all)
  })
})

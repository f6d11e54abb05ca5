import { asDense, embedding, hostArray, hostFloat32, tensor } from '@ao/base-tensor'
import { quantizeInt4Groupwise } from '@ao/quant-primitives'
import { describe, expect, it } from 'vitest'
import {
  blockwiseViews,
  checkGroupedShapes,
  groupBlockSize,
  type BlockwiseFields,
  type BlockwiseLayout,
  packInt4,
  unpackInt4,
} from '../src/index.ts'

const [E, N, K, GROUP] = [2, 3, 16, 4]
const LAYOUT: BlockwiseLayout<BlockwiseFields> = {
  packageName: '@acme/int4',
  codesPerElement: 2,
  swapsScales: true,
  attributesOf: ({ scale }) => ({ dtype: scale.dtype }),
}
const views = blockwiseViews(LAYOUT)

/** A weight (E, N, K) of two codes a byte, whose scales lie as (E, K / g, N). */
function weight(): BlockwiseFields {
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
function numbers({ qdata, scale }: BlockwiseFields): [code: number, scale: number][] {
  const codes = hostArray(unpackInt4(qdata.contiguous())) as Uint8Array
  const scales = hostFloat32(scale.transpose(-2, -1).contiguous())
  return Array.from(codes, (code, i) => [code, scales[Math.floor(i / GROUP)] as number])
}

describe('views of weights in blocks', () => {
  const whole = weight()
  const all = numbers(whole)
  const rowsOf = (...rows: readonly number[]): unknown =>
    rows.flatMap((row) => all.slice(row * K, (row + 1) * K))

  it('slices rows and groups with their scales', () => {
    const part = views.slice(views.slice(whole, 1, 1, 3), 2, GROUP, 3 * GROUP)
    checkGroupedShapes(part, LAYOUT)
    const expected = all.filter((_, i) => Math.floor(i / K) % N >= 1 && i % K >= 4 && i % K < 12)
    expect(numbers(part)).toEqual(expected)
    expect(() => views.slice(whole, 2, 1, 5)).toThrow('whole blocks of 4')
  })

  it('slices a pre-scale of all features, and no shorter one', () => {
    const sliced = (size: number): readonly number[] | undefined => {
      const actPreScale = tensor(new Float32Array(size).fill(2))
      return views.slice({ ...whole, actPreScale }, 2, GROUP, 3 * GROUP).actPreScale?.shape
    }
    expect(sliced(K)).toEqual([2 * GROUP])
    expect(sliced(1)).toEqual([1])
    const actPreScale = tensor([1, 2, 3])
    expect(() => checkGroupedShapes({ ...whole, actPreScale }, LAYOUT)).toThrow(
      'actPreScale of shape [16]',
    )
  })

  it('selects an expert, and transposes it there and back', () => {
    const expert = views.select(whole, 0, 1)
    const turned = views.transpose(expert, 0, 1)
    checkGroupedShapes(turned, LAYOUT)
    expect(turned.blockSize).toEqual([GROUP, 1])
    expect(numbers(views.transpose(turned, 0, 1))).toEqual(all.slice(N * K))
    expect(() => views.select(expert, 1, 0)).toThrow('whose codes are not packed')
    expect(() => views.index(turned, [0])).toThrow('rows with scales of their own')
  })

  it('picks rows, by number and as an embedding does', () => {
    const expert = views.select(whole, 0, 0)
    expect(numbers(views.index(expert, [2, 0, 2]))).toEqual(rowsOf(2, 0, 2))
    const ids = tensor([[1, 0]], { dtype: 'int32' })
    const picked = views.pickRows(expert, ids.shape, (rows) => embedding(ids, rows))
    checkGroupedShapes(picked, LAYOUT)
    expect(picked.shape).toEqual([1, 2, K])
    expect(numbers(picked)).toEqual(rowsOf(1, 0))
  })

  it('shows experts as rows, and joins what it cut', () => {
    const rows = views.view(whole, [E * N, K])
    expect(numbers(rows)).toEqual(all)
    const halves = [0, E].map((from) => views.slice(rows, 0, from, from === 0 ? E : E * N))
    const joined = views.cat(halves, 0)
    checkGroupedShapes(joined, LAYOUT)
    expect(numbers(joined)).toEqual(all)
  })
})

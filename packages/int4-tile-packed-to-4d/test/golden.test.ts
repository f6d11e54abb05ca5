import { linear, tensor, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import type { Int4ChooseQparamsAlgorithm } from '@ao/quantized-linear'
import { loadSpecGolden } from '@ao/test-data'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int4TilePackedTo4dTensor, packInt4Tiles, unpackInt4Tiles } from '../src/index.ts'

const cases = golden('int4_tile_packed_to_4d').map((vector) => [vector.name, vector] as const)

// Made on a GPU. HQQ too equals it to the bit, since it iterates in float16 as there.
describe('Int4TilePackedTo4dTensor against torchao', () => {
  it.each(cases)('%s', (_, { args, inputs, outputs }) => {
    const weight = Int4TilePackedTo4dTensor.fromHp(inputs['w'] as Tensor, {
      granularity: PerGroup(args['group_size']),
      chooseQparamsAlgorithm: args['algorithm'].toUpperCase() as Int4ChooseQparamsAlgorithm,
    })
    for (const [name, part] of [
      ['qdata', weight.qdata],
      ['scale_and_zero', weight.scaleAndZero],
      ['y', linear(inputs['x'] as Tensor, weight)],
    ] as const) {
      const expected = outputs[name] as Tensor
      expect(part.shape, name).toEqual(expected.shape)
      expect(part.dtype, name).toBe(expected.dtype)
      expect(elements(part), name).toEqual(elements(expected))
    }
  })

  it('tiles codes as the kernels read them', () => {
    const [stored] = loadSpecGolden('int4').filter((each) => each['op'] === 'tile_packed_to_4d')
    const codes = tensor(stored!['q'], { dtype: 'uint8' })
    const qdata = packInt4Tiles(codes)
    expect(qdata.shape).toEqual([1, 1, 32, 4])
    expect(elements(qdata)).toEqual(stored!['qdata'].flat(Infinity))
    expect(elements(unpackInt4Tiles(qdata))).toEqual(elements(codes))
  })
})

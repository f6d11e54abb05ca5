import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packNibbles, unpackNibbles } from '../src/index.ts'

describe('nibbles', () => {
  it('packs as documented', () => {
    expect([...packNibbles(Int8Array.of(-8, 7, 1, -1))]).toEqual([0x78, 0xf1])
    expect([...packNibbles(Uint8Array.of(1, 2), false)]).toEqual([0x12])
  })

  it('unpacks what was packed', () => {
    const codes = fc.uint8Array({ max: 15, maxLength: 64 }).map((a) => a.slice(a.length % 2))
    fc.assert(
      fc.property(codes, fc.boolean(), (values, evenLow) => {
        expect(unpackNibbles(packNibbles(values, evenLow), evenLow)).toEqual(values)
      }),
    )
  })
})

import { expect, it } from 'vitest'
import { parseRawSafetensors } from '../src/index.ts'

function file(header: object, data: number[]): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header))
  const length = new Uint8Array(new BigUint64Array([BigInt(json.length)]).buffer)
  return Uint8Array.from([...length, ...json, ...data])
}

it('takes a file apart, each tensor in a buffer of its own', () => {
  const bytes = file(
    {
      __metadata__: { format: 'pt' },
      odd: { dtype: 'U8', shape: [3], data_offsets: [0, 3] },
      wide: { dtype: 'F32', shape: [1, 1], data_offsets: [3, 7] },
    },
    [1, 2, 3, 0, 0, 128, 63],
  )
  const { metadata, tensors } = parseRawSafetensors(bytes)
  expect(metadata).toEqual({ format: 'pt' })
  expect([...tensors.keys()]).toEqual(['odd', 'wide'])
  expect(tensors.get('odd')).toEqual({ dtype: 'U8', shape: [3], bytes: Uint8Array.of(1, 2, 3) })
  const wide = tensors.get('wide')
  expect(wide).toMatchObject({ dtype: 'F32', shape: [1, 1] })
  expect(new Float32Array(wide!.bytes.buffer)).toEqual(Float32Array.of(1))
})

it('reads bytes that begin somewhere in a buffer, and files without metadata', () => {
  const bytes = file({ one: { dtype: 'I8', shape: [], data_offsets: [0, 1] } }, [255])
  const shifted = new Uint8Array([9, 9, 9, ...bytes]).subarray(3)
  const { metadata, tensors } = parseRawSafetensors(shifted)
  expect(metadata).toEqual({})
  expect(tensors.get('one')?.bytes).toEqual(Uint8Array.of(255))
})

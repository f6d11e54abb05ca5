import { describe, expect, it } from 'vitest'
import { FormatError } from '@ao/base-tensor'
import { bytesSource, MAX_TENSORS, openSafetensors, type ByteSource } from '../src/index.ts'
import { handMade, messageOf, nested, one, openBytes as open, tensor, unknown } from './helpers.ts'

const keys = (count: number, value: string) =>
  Array.from({ length: count }, (_, i) => `"${i}":${value}`).join(',')

const AGAIN = 'The header is damaged: write or download the file again.'
const CUT = 'The file is cut off: copy or download it again.'
const OTHER = 'Check that it is a safetensors file.'
const DAMAGED = 'It is damaged, or of another kind.'

function withLength(length: bigint, fileSize: number): Uint8Array {
  const file = new Uint8Array(fileSize)
  new DataView(file.buffer).setBigUint64(0, length, true)
  return file
}

describe('a damaged or hostile header', () => {
  const cases: Record<string, [Uint8Array, string]> = {
    'an empty file': [
      new Uint8Array(0),
      `x.safetensors to begin with the 8 bytes of its header's length, got a file of 0 bytes. ${CUT}`,
    ],
    'a file of 7 bytes': [
      new Uint8Array(7),
      `x.safetensors to begin with the 8 bytes of its header's length, got a file of 7 bytes. ${CUT}`,
    ],
    'a header that runs past the file': [
      withLength(100n, 50),
      `x.safetensors to have a header of 100 bytes, got a file of 50 bytes. ${CUT}`,
    ],
    'a header beyond the limit': [
      withLength(100_000_001n, 50),
      `x.safetensors to have a header of at most 100000000 bytes, got 100000001. ${OTHER}`,
    ],
    'a length that no number holds': [
      withLength(2n ** 64n - 1n, 50),
      `x.safetensors to have a header of at most 100000000 bytes, got 18446744073709552000. ${OTHER}`,
    ],
    'an empty header': [
      handMade(''),
      `the header of x.safetensors to begin with {, got "". ${OTHER}`,
    ],
    'a list': [handMade('[]'), `the header of x.safetensors to begin with {, got "[]". ${OTHER}`],
    'invalid UTF-8': [
      handMade(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)),
      `the header of x.safetensors to be UTF-8, got other bytes. ${DAMAGED}`,
    ],
    'a byte order mark': [
      handMade(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)),
      `the header of x.safetensors to begin with {, got "\ufeff{}". ${OTHER}`,
    ],
    'a tensor twice': [
      handMade(`{"a":${tensor('U8', [1], 0, 1)},"a":${tensor('U8', [1], 0, 1)}}`, 1),
      `the header of x.safetensors to name each key once, got "a" twice. Readers would not agree on which one counts, so write the file again.`,
    ],
    'a tensor twice, spelled differently': [
      handMade(`{"a":${tensor('U8', [1], 0, 1)},"\\u0061" :${tensor('U8', [1], 0, 1)}}`, 1),
      `the header of x.safetensors to name each key once, got "a" twice. Readers would not agree on which one counts, so write the file again.`,
    ],
    'metadata twice': [
      handMade('{"__metadata__":{},"__metadata__":{}}'),
      `the header of x.safetensors to name each key once, got "__metadata__" twice. Readers would not agree on which one counts, so write the file again.`,
    ],
    'a metadata key twice': [
      handMade('{"__metadata__":{"a":"1","a":"2"}}'),
      `the header of x.safetensors to name each key once, got "a" twice. Readers would not agree on which one counts, so write the file again.`,
    ],
    'a dtype twice': [
      handMade('{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}'),
      `the header of x.safetensors to name each key once, got "dtype" twice. Readers would not agree on which one counts, so write the file again.`,
    ],
    'deep nesting': [
      handMade(nested(126)),
      `the header of x.safetensors to nest at most 127 levels, got more. ${DAMAGED}`,
    ],
    'nesting without an end': [
      handMade('{"a":'.repeat(1_000_000)),
      `the header of x.safetensors to nest at most 127 levels, got more. ${DAMAGED}`,
    ],
    'metadata that is a list': [
      handMade('{"__metadata__":[]}'),
      `__metadata__ of x.safetensors to be an object, got []. ${AGAIN}`,
    ],
    'metadata of numbers': [
      handMade('{"__metadata__":{"a":"1","b":2}}'),
      '__metadata__ of x.safetensors to hold strings, got 2 for "b". Write other values as their JSON text.',
    ],
    'a tensor that is a string': [
      handMade('{"a":"F32"}'),
      `"a" in x.safetensors to be an object, got "F32". ${AGAIN}`,
    ],
    'an unknown dtype': [
      handMade(one('F33', [1], 0, 4), 4),
      'the dtype of "a" in x.safetensors to be one of U64, I64, F64, C64, F32, U32, I32, BF16, F16, U16, I16, F8_E5M2FNUZ, F8_E4M3FNUZ, F8_E8M0, F8_E4M3, F8_E5M2, I8, U8, F6_E3M2, F6_E2M3, F4, BOOL, got "F33". A newer kind of file needs a newer version of this package.',
    ],
    'no shape': [
      handMade('{"a":{"dtype":"U8","data_offsets":[0,0]}}'),
      `the shape of "a" in x.safetensors to be a list of sizes, got nothing. ${AGAIN}`,
    ],
    'a shape that is a number': [
      handMade(one('U8', 4, 0, 4), 4),
      `the shape of "a" in x.safetensors to be a list of sizes, got 4. ${AGAIN}`,
    ],
    'a negative size': [
      handMade(one('U8', [-1], 0, 1), 1),
      `the shape of "a" in x.safetensors to be a list of sizes, got [-1]. ${AGAIN}`,
    ],
    'a fractional size': [
      handMade(one('U8', [1.5], 0, 1), 1),
      `the shape of "a" in x.safetensors to be a list of sizes, got [1.5]. ${AGAIN}`,
    ],
    'a size of minus zero': [
      handMade('{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'),
      `the shape of "a" in x.safetensors to be a list of sizes, got [-0]. ${AGAIN}`,
    ],
    'a size that no number holds': [
      handMade('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,0]}}'),
      `the shape of "a" in x.safetensors to be a list of sizes, got [9007199254740993]. ${AGAIN}`,
    ],
    'a size that is a string': [
      handMade(one('U8', ['1'], 0, 1), 1),
      `the shape of "a" in x.safetensors to be a list of sizes, got ["1"]. ${AGAIN}`,
    ],
    // Sizes that the reference implementation, which reads whole numbers of 64 bits, refuses as well.
    'a size that is a float': [
      handMade('{"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}', 2),
      `the shape of "a" in x.safetensors to be a list of sizes, got [2.0]. ${AGAIN}`,
    ],
    'a size with an exponent': [
      handMade('{"a":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}}', 2),
      `the shape of "a" in x.safetensors to be a list of sizes, got [2e0]. ${AGAIN}`,
    ],
    'an offset that is a float': [
      handMade('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2.0]}}', 2),
      `data_offsets of "a" in x.safetensors to be two offsets, got [0,2.0]. ${AGAIN}`,
    ],
    'an offset that no number holds': [
      handMade('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,18446744073709551615]}}'),
      `data_offsets of "a" in x.safetensors to be two offsets, got [0,18446744073709551615]. ${AGAIN}`,
    ],
    'a product that overflows before a zero': [
      handMade(one('U8', [2 ** 40, 2 ** 40, 0], 0, 0)),
      `the shape of "a" in x.safetensors to have a size, got [1099511627776, 1099511627776, 0], too large. ${AGAIN}`,
    ],
    'half a surrogate pair in an unknown field': [
      handMade(unknown('"\\ud800"')),
      'the header of x.safetensors to be Unicode text, got "\\ud800". Write the file again.',
    ],
    'an unknown field with a key twice': [
      handMade(unknown('{"k":1,"k":2}')),
      `the header of x.safetensors to name each key once, got "k" twice. Readers would not agree on which one counts, so write the file again.`,
    ],
    'more metadata than any file has': [
      handMade(`{"__metadata__":{${keys(MAX_TENSORS + 1001, '""')}}}`),
      `__metadata__ of x.safetensors to have at most 251000 keys, got more. ${OTHER}`,
    ],
    'more tensors than any file has': [
      handMade(`{${keys(MAX_TENSORS + 1, tensor('U8', [0], 0, 0))}}`),
      `x.safetensors to have at most 250000 tensors, got more. ${OTHER}`,
    ],
    // Of a header that goes on for long, the first thing that is wrong is enough.
    'many values that are no tensors': [
      handMade(`{${keys(MAX_TENSORS * 2, '0')}`),
      `"0" in x.safetensors to be an object, got 0. ${AGAIN}`,
    ],
    'a shape of many dimensions': [
      handMade(one('U8', Array(1e6).fill(1), 0, 1), 1),
      `"a" in x.safetensors to have at most 64 dimensions, got 1000000. ${AGAIN}`,
    ],
    'a pointer of Git LFS': [
      new TextEncoder().encode(
        'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
      ),
      'x.safetensors to be a safetensors file, got a pointer of Git LFS, which stands for the file. Get the file itself with `git lfs pull`, or from the address that downloads it.',
    ],
    'an HTML page': [
      new TextEncoder().encode('\n<!DOCTYPE html><html></html>'),
      'x.safetensors to be a safetensors file, got a page. Check the address, and download the file itself.',
    ],
    'too many dimensions': [
      handMade(one('U8', Array(65).fill(1), 0, 1), 1),
      `"a" in x.safetensors to have at most 64 dimensions, got 65. ${AGAIN}`,
    ],
    'a shape whose product overflows': [
      handMade(one('U8', [2 ** 40, 2 ** 40], 0, 1), 1),
      `the shape of "a" in x.safetensors to have a size, got [1099511627776, 1099511627776], too large. ${AGAIN}`,
    ],
    'a shape whose product is infinite': [
      handMade(one('U8', Array(30).fill(2 ** 50), 0, 1), 1),
      `the shape of "a" in x.safetensors to have a size, got [${Array(30)
        .fill(2 ** 50)
        .join(', ')}], too large. ${AGAIN}`,
    ],
    'half a byte': [
      handMade(one('F4', [3], 0, 2), 2),
      `"a" in x.safetensors to fill whole bytes, got 12 bits of F4. ${AGAIN}`,
    ],
    'three offsets': [
      handMade('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', 1),
      `data_offsets of "a" in x.safetensors to be two offsets, got [0,1,2]. ${AGAIN}`,
    ],
    'a negative offset': [
      handMade(one('U8', [1], -1, 0), 1),
      `data_offsets of "a" in x.safetensors to be two offsets, got [-1,0]. ${AGAIN}`,
    ],
    'offsets that are strings': [
      handMade(one('U8', [1], '0', '1'), 1),
      `data_offsets of "a" in x.safetensors to be two offsets, got ["0","1"]. ${AGAIN}`,
    ],
    'reversed offsets': [
      handMade(one('U8', [1], 1, 0), 1),
      `data_offsets of "a" in x.safetensors to begin before they end, got [1,0]. ${AGAIN}`,
    ],
    'data past the end': [
      handMade(one('F32', [4], 0, 16), 15),
      `the data of "a" in x.safetensors to end within 15 bytes of data, got 16. ${CUT}`,
    ],
    'more bytes than the shape': [
      handMade(one('F32', [1], 0, 8), 8),
      `"a" in x.safetensors to have 4 bytes for F32 of shape [1], got data_offsets [0, 8] of 8 bytes. ${AGAIN}`,
    ],
    'fewer bytes than the shape': [
      handMade(one('F32', [1000000], 0, 8), 8),
      `"a" in x.safetensors to have 4000000 bytes for F32 of shape [1000000], got data_offsets [0, 8] of 8 bytes. ${AGAIN}`,
    ],
    'an overlap': [
      handMade(`{"a":${tensor('U8', [4], 0, 4)},"b":${tensor('U8', [4], 3, 7)}}`, 7),
      `tensors of x.safetensors to have data of their own, got "b" overlapping "a". ${AGAIN}`,
    ],
    'an empty tensor inside another': [
      handMade(`{"a":${tensor('U8', [4], 0, 4)},"b":${tensor('U8', [0], 2, 2)}}`, 4),
      `tensors of x.safetensors to have data of their own, got "b" overlapping "a". ${AGAIN}`,
    ],
    'a hole': [
      handMade(`{"a":${tensor('U8', [4], 0, 4)},"b":${tensor('U8', [1], 6, 7)}}`, 7),
      `tensors of x.safetensors to cover all of its data, got a hole of 2 bytes before "b". ${AGAIN}`,
    ],
    'bytes at the end': [
      handMade(one('U8', [4], 0, 4), 9),
      `tensors of x.safetensors to cover all of its data, got 5 bytes after the last. ${AGAIN}`,
    ],
    'data without tensors': [
      handMade('{}', 3),
      `tensors of x.safetensors to cover all of its data, got 3 bytes after the last. ${AGAIN}`,
    ],
    'metadata with half a surrogate pair': [
      handMade('{"__metadata__":{"a":"\\udc00"}}'),
      `__metadata__ of x.safetensors to be Unicode text, got "a". ${AGAIN}`,
    ],
    'a name that is half a surrogate pair': [
      handMade('{"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
      `tensor names of x.safetensors to be Unicode text, got "\\ud800". ${AGAIN}`,
    ],
  }

  it.each(Object.entries(cases))('%s', async (_, [file, message]) => {
    const error = await open(file).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toBe(`[@ao/safetensors] Expected ${message}`)
    expect(FormatError.isInstance(error)).toBe(true)
  })

  it.each([
    ['cut JSON', '{"a":'],
    ['an open string', '{"a'],
    ['a bad escape in a key', '{"\\x":1}'],
    ['text after the JSON', '{}x'],
    ['a comma too many', '{"__metadata__":{},}'],
    ['no comma', '{"__metadata__":{"a":"b" "c":"d"}}'],
    ['a list that does not end', '{"__metadata__":[1,2'],
    ['a number that only Python writes', '{"__metadata__":NaN}'],
    ['a control character in a key', '{"a\n":1}'],
    ['a number with a leading zero', unknown('01')],
    ['a bad escape in a value', unknown('"\\x"')],
    ['zero bytes after the JSON', '{}\0\0'],
  ])('%s', async (_, text) => {
    const message = await messageOf(() => open(handMade(text)))
    expect(message).toMatch(
      /^\[@ao\/safetensors\] Expected the header of x\.safetensors to be valid JSON, got .+ It is damaged/s,
    )
  })

  it('is refused before more than the header is read, and the source is closed', async () => {
    const reads: [number, number][] = []
    let closed = 0
    const file = handMade(one('U8', [9], 0, 5), 5)
    const inner = bytesSource(file)
    const source: ByteSource = {
      ...inner,
      read: (offset, length) => (reads.push([offset, length]), inner.read(offset, length)),
      close: async () => void closed++,
    }
    await messageOf(() => openSafetensors(source))
    expect(reads).toEqual([
      [0, 8],
      [8, file.length - 13],
    ])
    expect(closed).toBe(1)
  })

  it('shortens long names in messages', async () => {
    const message = await messageOf(() => open(handMade(`{"${'x'.repeat(5000)}":1}`)))
    expect(message.length).toBeLessThan(400)
  })
})

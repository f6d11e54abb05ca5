import { describe, expect, it } from 'vitest'
import { AoError, type DenseTensor } from '@ao/base-tensor'
import {
  flattenTensorStateDict,
  memoryFolder,
  openCheckpoint,
  openCheckpointFile,
  serializeSafetensors,
  unflattenTensorStateDict,
  type ByteSource,
} from '../src/index.ts'
import { checkRange } from '../src/byte-source.ts'
import { bytes, counting, FORMATS, Int4Tensor, int8Tensor, splitFile, handMade } from './helpers.ts'

const MUTATIONS = 24_000

/** Numbers from 0 to 1 (excluded), the same in every run: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function validFiles(): Uint8Array[] {
  const int4 = new Int4Tensor({
    qdata: counting([4, 4], 'int8'),
    scale: counting([2, 4], 'bfloat16'),
    zeroPoint: counting([2, 4], 'bfloat16'),
    blockSize: [1, 4],
    shape: [4, 8],
    activationDtype: 'bfloat16',
  })
  const quantized = flattenTensorStateDict([
    ['a.weight', int8Tensor(2, 4)],
    ['a.bias', counting([2], 'bfloat16')],
    ['b.weight', int4],
  ])
  return [
    serializeSafetensors(quantized.tensors, quantized.metadata),
    serializeSafetensors([
      ['x', counting([2, 3], 'float32')],
      ['empty', counting([0], 'int64')],
      ['y', bytes(1, 2, 3)],
    ]),
    serializeSafetensors([], { format: 'pt' }),
  ]
}

/** Text that JSON readers, or this format, may stumble over. */
const TROUBLE = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '-',
  '.',
  'e9',
  '0',
  '99999999999999999999',
  '1e400',
  '-1',
  'null',
  'true',
  '\\u0000',
  '\\ud800',
  '__metadata__',
  '"__proto__":{},',
  '"_type": "Tensor", ',
  'tensor_names',
  '[[[[[[[[',
  '"dtype":"F64",',
  '"shape":[],',
  '4294967296',
  '9007199254740991',
  ' ',
  '\n',
  '\u0000',
  '\uffff',
  'é',
  'Int8Tensor',
  'MXTensor',
  'qdata',
  ':_data',
]

function mutate(files: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T
  let file = pick(files).slice()
  for (let rounds = 1 + below(3); rounds > 0; rounds--) {
    switch (below(8)) {
      case 0:
        if (file.length > 0) file[below(file.length)] = below(256)
        break
      case 1:
        if (file.length > 0) (file[below(file.length)] as number) ^= 1 << below(8)
        break
      case 2:
        file = file.slice(0, below(file.length + 1))
        break
      case 3:
        if (file.length >= 8) {
          const view = new DataView(file.buffer)
          const old = view.getBigUint64(0, true)
          const lengths = [old + BigInt(below(17) - 8), BigInt(below(2 ** 32)), 2n ** 63n, 0n]
          view.setBigUint64(0, BigInt.asUintN(64, pick(lengths)), true)
        }
        break
      case 4:
        file = splice(file, pick(files), below)
        break
      default:
        if (file.length >= 8) file = editHeader(file, pick, below)
    }
  }
  return file
}

function splice(
  a: Uint8Array,
  b: Uint8Array,
  below: (limit: number) => number,
): Uint8Array<ArrayBuffer> {
  const head = a.subarray(0, below(a.length + 1))
  const tail = b.subarray(below(b.length + 1))
  const joined = new Uint8Array(head.length + tail.length)
  joined.set(head)
  joined.set(tail, head.length)
  return joined
}

/** Changes the JSON and corrects the length before it, so that reading gets past that. */
function editHeader(
  file: Uint8Array<ArrayBuffer>,
  pick: <T>(list: readonly T[]) => T,
  below: (limit: number) => number,
): Uint8Array<ArrayBuffer> {
  const length = new DataView(file.buffer).getBigUint64(0, true)
  if (length > BigInt(file.length - 8)) return file
  const { header, data } = splitFile(file)
  const edits: (() => string)[] = [
    () => {
      const at = below(header.length + 1)
      return header.slice(0, at) + pick(TROUBLE) + header.slice(at + below(6))
    },
    () =>
      header.replaceAll(/\d+/g, (digits) =>
        below(8) === 0 ? pick(['0', '-1', '1.5', '7', '99999999999', '9007199254740993']) : digits,
      ),
    () =>
      header.replaceAll(/"[A-Z][A-Z0-9_]+"/g, (name) =>
        below(4) === 0 ? pick(['"F64"', '"BOOL"', '"F4"', '"X"', '1']) : name,
      ),
    () => {
      const words = header.split('"')
      const at = below(words.length)
      words[at] = pick(words)
      return words.join('"')
    },
  ]
  return handMade(pick(edits)(), data)
}

/** A source that fails the test when it is asked for bytes that the file does not have. */
function strictSource(file: Uint8Array): ByteSource {
  return {
    name: 'x.safetensors',
    size: file.length,
    read: async (offset, length) => {
      expect(Number.isSafeInteger(offset) && Number.isSafeInteger(length)).toBe(true)
      checkRange('x', file.length, offset, length)
      return file.slice(offset, offset + length)
    },
    close: async () => undefined,
  }
}

/** Reads all that a file has, and everything that torchao's metadata makes of it. */
async function readAll(file: Uint8Array): Promise<number> {
  const checkpoint = await openCheckpointFile(strictSource(file))
  let read = 0
  const tensors = new Map<string, DenseTensor>()
  for (const opened of checkpoint.files.values()) {
    for (const name of opened.tensors.keys()) {
      read += (await opened.readBytes(name)).length
      await ignoreRefusal(async () => void tensors.set(name, await opened.read(name)))
    }
  }
  for (const name of checkpoint.names) {
    checkpoint.info(name)
    await ignoreRefusal(() => checkpoint.plan(name, { formats: FORMATS }))
    await ignoreRefusal(() => checkpoint.read(name, { formats: FORMATS }))
  }
  unflattenTensorStateDict(tensors, checkpoint.metadata, { formats: FORMATS })
  return read
}

async function ignoreRefusal(action: () => Promise<unknown>): Promise<void> {
  await action().catch((error: unknown) => {
    if (!AoError.isInstance(error)) throw error
  })
}

describe('mutated files', () => {
  it(`${MUTATIONS} of them are read or refused, none hangs, crashes or reads past its end`, async () => {
    const files = validFiles()
    for (const file of files) await ignoreRefusal(() => readAll(file))
    const random = randomFrom(20)
    let refused = 0
    const reasons = new Set<string>()
    for (let i = 0; i < MUTATIONS; i++) {
      const file = mutate(files, random)
      try {
        expect(await readAll(file)).toBeLessThanOrEqual(file.length)
      } catch (error) {
        if (!AoError.isInstance(error)) {
          const text = JSON.stringify(new TextDecoder().decode(file))
          throw new Error(`Mutation ${i}: ${String(error)} for ${text}`, { cause: error })
        }
        refused++
        reasons.add(error.expected.replace(/".*?"|\d+/g, '_'))
      }
    }
    // The mutator is of use: it reaches both ends, and many checks on the way.
    expect(refused).toBeGreaterThan(MUTATIONS / 2)
    expect(MUTATIONS - refused).toBeGreaterThan(MUTATIONS / 100)
    expect(reasons.size).toBeGreaterThan(30)
  })

  it('hostile indexes are read or refused', async () => {
    const random = randomFrom(21)
    const shard = serializeSafetensors([
      ['a', bytes(1)],
      ['b', bytes(2)],
    ])
    const index = JSON.stringify({
      metadata: { total_size: 2 },
      weight_map: { a: 's.safetensors', b: 's.safetensors' },
    })
    let opened = 0
    for (let i = 0; i < 2000; i++) {
      const at = Math.floor(random() * index.length)
      const trouble = TROUBLE[Math.floor(random() * TROUBLE.length)] as string
      const text = index.slice(0, at) + trouble + index.slice(at + Math.floor(random() * 9))
      const folder = memoryFolder(
        new Map([
          ['s.safetensors', shard],
          ['model.safetensors.index.json', new TextEncoder().encode(text)],
        ]),
      )
      await ignoreRefusal(async () => {
        await openCheckpoint(folder)
        opened++
      })
    }
    expect(opened).toBeGreaterThan(20)
    expect(opened).toBeLessThan(1000)
  })

  it('a header as large as allowed takes time in proportion', async () => {
    // One long run of backslashes, of keys, of nested lists: a scan that is not linear takes hours.
    for (const text of [
      `{"${'\\\\'.repeat(500_000)}":0}`,
      `{${Array.from({ length: 100_000 }, (_, i) => `"${i}":{}`).join(',')}}`,
      `{"a":[${'[],'.repeat(300_000)}[]]}`,
      `{"a"${' '.repeat(1_000_000)}:0}`,
      `{"a":"${'"b" '.repeat(200_000)}"}`,
    ]) {
      const opened = openCheckpointFile(strictSource(handMade(text))).catch(
        (error: unknown) => error,
      )
      expect(AoError.isInstance(await opened)).toBe(true)
    }
  })
})

/** @file Pickles that ask for as much memory as they can, and a program that opens them. */

import { pickle, subclass, TorchSaver, type PyCall } from '@ao/test-data'
import { bytesSource, openCheckpointFile } from '@ao/safetensors'
import { MAX_PICKLE_BYTES, MAX_PICKLE_STEPS, torchFiles } from '../src/index.ts'

const text = new TextEncoder()
const raw = (...parts: readonly (string | ArrayLike<number>)[]): Uint8Array => {
  const encoded = parts.map((part) => (typeof part === 'string' ? text.encode(part) : part))
  const bytes = new Uint8Array(encoded.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of encoded) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

const ORDERED_DICT = 'ccollections\nOrderedDict\n'

/** `piece` over and over, up to the limits of a pickle, and then `end`. */
function repeated(piece: Uint8Array, steps: number, end = '.'): Uint8Array {
  const count = Math.min(
    Math.floor((MAX_PICKLE_STEPS - 1500) / steps),
    Math.floor((MAX_PICKLE_BYTES - 100) / piece.length),
  )
  const bytes = new Uint8Array(count * piece.length + end.length)
  for (let i = 0; i < count; i++) bytes.set(piece, i * piece.length)
  bytes.set(text.encode(end), count * piece.length)
  return bytes
}

/** Each object gets a number of its own. */
function remembered(op: string): Uint8Array {
  const bytes = repeated(raw(op, 'r', [0, 0, 0, 0]), 2)
  const view = new DataView(bytes.buffer)
  for (let i = 0, at = 2; at + 4 < bytes.length; i++, at += 6) view.setUint32(at, i, true)
  return bytes
}

const ONE = { dtype: 'uint8', shape: [1], bytes: new Uint8Array(1) }

/** A weight with as many attributes as may be. */
function quantized(): PyCall {
  const saver = new TorchSaver()
  const block_size = Array.from({ length: 900 }, () => 1)
  const parts = { qdata: saver.tensor(ONE), scale: saver.tensor(ONE) }
  return subclass('torchao.quantization.Int8Tensor', 'float32', [1], { ...parts, block_size })
}

/** A dict that has the value of a pickle under as many names as may be. */
function named(value: Uint8Array): Uint8Array {
  const names = repeated(raw('X', [6, 0, 0, 0], '......', 'j', [255, 255, 0, 0]), 2, 'u.')
  for (let i = 0, at = 5; at + 6 < names.length; i++, at += 16) {
    names.set(text.encode(i.toString(36).padStart(6, '0')), at)
  }
  const first = raw('X', [5, 0, 0, 0], 'first', value.subarray(2, -1), 'r', [255, 255, 0, 0])
  return raw('}(', first, names)
}

/** By name: each is within all limits of its pickle, or one beyond. */
export const BOMBS: Readonly<Record<string, () => Uint8Array>> = {
  dicts: () => repeated(raw('}'), 1),
  lists: () => repeated(raw(']'), 1),
  marks: () => repeated(raw('('), 1),
  'remembered dicts': () => remembered('}'),
  texts: () => repeated(raw('X', [8, 0, 0, 0], 'abcdefgh'), 1),
  'long texts': () => repeated(raw('X', [0, 0, 1, 0], 'é'.repeat(1 << 15)), 1),
  'ordered dicts': () => repeated(raw(ORDERED_DICT, ')R'), 3),
  'lists in each other': () => repeated(raw(']'), 2, `${'a'.repeat(MAX_PICKLE_STEPS / 2 - 9)}.`),
  'tuples in each other': () => raw(')', repeated(raw([0x85]), 1)),
  'one dict, over and over': () => raw('}(', 'K', [0], 'N'.repeat(MAX_PICKLE_STEPS)),
  'big numbers': () => repeated(raw([0x8a, 8], [1, 2, 3, 4, 5, 6, 7, 8]), 1),
  'doubled tuples': () => raw(')', repeated(raw('q', [0], 'h', [0, 0x86]), 3)),
  'names of one tensor': () => named(pickle(new TorchSaver().tensor(ONE))),
  'names of one quantized tensor': () => named(pickle(quantized())),
}

/** A file whose pickle is `name` of {@link BOMBS}. */
export function bombFile(name: string): Uint8Array<ArrayBuffer> {
  return new TorchSaver().file((BOMBS[name] as () => Uint8Array)(), {
    parts: (parts) => [...parts, { name: 'archive/data/0', bytes: new Uint8Array(1) }],
  })
}

/** Opens a bomb; gives the message. */
export async function openBomb(file: Uint8Array): Promise<string> {
  try {
    await openCheckpointFile(bytesSource(file, 'model.bin'), undefined, { fileKinds: [torchFiles] })
    return 'opened'
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
}

import { describe, expect, it } from 'vitest'
import { bytesSource, serializeSafetensors } from '@ao/safetensors'
import { pickle, TorchSaver, type ZipPart } from '@ao/test-data'
import { torchFiles } from '../src/index.ts'
import { counted, messageOf, openTorch } from './helpers.ts'

const ONE = { dtype: 'uint8', shape: [4], bytes: new Uint8Array(4) }

describe('a damaged zip is refused', () => {
  const saver = new TorchSaver()
  const value = new Map([['t', saver.tensor(ONE)]])
  const changed = (change: (parts: readonly ZipPart[]) => readonly ZipPart[]): Uint8Array =>
    saver.file(value, { parts: change })
  const first = (change: Partial<ZipPart>): Uint8Array =>
    changed(([part, ...parts]) => [{ ...(part as ZipPart), ...change }, ...parts])
  const added = (part: Partial<ZipPart>): Uint8Array =>
    changed((parts) => [...parts, { name: 'archive/x', bytes: new Uint8Array(3), ...part }])
  const file = saver.file(value)
  const pickled = pickle(value)

  it.each<[string, Uint8Array, string]>([
    ['wrong CRC', first({ crc: 1 }), 'to have the checksum 00000001'],
    [
      'deflated',
      first({ method: 8 }),
      'stored as it is, as torch.save does, got deflate, a compression',
    ],
    ['another method', added({ method: 77 }), 'got method 77, a compression'],
    ['encrypted', added({ flags: 0x809 }), 'got an encrypted entry'],
    [
      'a zip bomb',
      added({ size: 2 ** 40, storedSize: 3, zip64: true }),
      'to have as many bytes stored as it has',
    ],
    [
      'more than the file',
      added({ size: 2 ** 40, storedSize: 2 ** 40, zip64: true }),
      '"archive/x" to lie in model.bin',
    ],
    ['beyond 2^53', added({ header: 2 ** 53, zip64: true }), '"archive/x" to lie in model.bin'],
    ['overlapping', added({ header: 0 }), 'got "archive/data.pkl" and "archive/x" that overlap'],
    ['in each other', added({ header: 10, zip64: true }), 'that overlap'],
    ['another local name', added({ localName: 'archive/y' }), 'a header of "archive/x"'],
    [
      'a local name of another length',
      added({ localName: 'archive/other' }),
      'a header of "archive/x"',
    ],
    ['twice', added({ name: 'archive/data/0' }), 'got "archive/data/0" twice'],
    [
      'two pickles',
      added({ name: 'other/data.pkl', bytes: pickled }),
      'one data.pkl in model.bin, as torch.save writes it, got several',
    ],
    [
      'no pickle',
      first({ name: 'archive/data.txt' }),
      'one data.pkl in model.bin, as torch.save writes it, got none',
    ],
    ['TorchScript', added({ name: 'archive/constants.pkl' }), 'got a program of TorchScript'],
    ['cut off', file.slice(0, -1), 'to end with the directory of a zip'],
    ['in half', file.slice(0, file.length / 2), 'to end with the directory of a zip'],
    ['more behind', Uint8Array.from([...file, 0]), 'to end with the directory of a zip'],
    [
      'more before',
      Uint8Array.from([...file.slice(0, 4), 0, ...file.slice(4)]),
      'a zip64 record before its locator',
    ],
  ])('%s', async (_, bytes, expected) => {
    const { source, longest } = counted(bytes)
    const message = await messageOf(() => openTorch(source))
    expect(message).toContain('[@ao/torch-files] Expected ')
    expect(message).toContain(expected)
    expect(longest()).toBeLessThan(70_000)
  })

  it.each(['../x', '/x', 'archive/../../x', 'archive\\x', 'C:x', 'archive//x', './x', 'a\0b', ''])(
    'a name that leads out of it: %j',
    async (name) => {
      expect(await messageOf(() => openTorch(added({ name })))).toMatch(
        `Expected entries of model.bin to have plain names, got ${JSON.stringify(name)}.`,
      )
    },
  )

  it('and one with zip64 fields, or without zip64 records, is read', async () => {
    const wide = changed((parts) => parts.map((part) => ({ ...part, zip64: true })))
    expect((await openTorch(wide)).names).toEqual(['t'])
  })
})

describe('what is no zip is refused by what it is', () => {
  const text = (content: string): Uint8Array => new TextEncoder().encode(content)
  it.each<[string, Uint8Array, string]>([
    [
      'older PyTorch',
      Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9),
      "got PyTorch's older format, a row of pickles. Load it with PyTorch, and save it again",
    ],
    ['a page', text('<!doctype html><title>Sign in</title>'), 'got a page. Check the address'],
    ['a pointer', text('version https://git-lfs.github.com/spec/v1'), 'got a pointer of Git LFS'],
    ['nothing', text(''), 'got a file of 0 bytes.'],
    ['something', text('something else'), 'got other bytes.'],
  ])('%s', async (_, bytes, got) => {
    const source = bytesSource(bytes, 'pytorch_model.bin')
    const message = await messageOf(() => torchFiles.open(source, 'pytorch_model.bin'))
    expect(message).toMatch(
      'Expected pytorch_model.bin to be a zip, which torch.save writes since PyTorch 1.6,',
    )
    expect(message).toContain(got)
  })

  it('and a file of another name is told by its first bytes', async () => {
    const older = Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9)
    expect(await messageOf(() => openTorch(older))).toMatch("PyTorch's older format")
    const safetensors = serializeSafetensors([])
    expect((await openTorch(safetensors)).names).toEqual([])
  })
})

import { runInNewContext } from 'node:vm'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { meta, zeros, type DenseTensor, type Device } from '@ao/base-tensor'
import { readRawSafetensors } from '@ao/test-data'
import fc from 'fast-check'
import {
  bytesSource,
  FileError,
  openSafetensors,
  planLayout,
  serializeSafetensors,
  writeSafetensors,
  type FileDType,
} from '../src/index.ts'
import { FILE_DTYPE_NAMES } from '../src/file-dtype.ts'
import { compareNames } from '../src/layout.ts'
import { directory, fileSink } from '../src/node.ts'
import {
  asNobody,
  bytes,
  bytesOf,
  counting,
  int8Tensor,
  messageOf,
  same,
  splitFile,
} from './helpers.ts'

const root = mkdtempSync(join(tmpdir(), 'ao-write-'))
const path = (name: string): string => join(root, name)
afterAll(() => rmSync(root, { recursive: true }))

describe('layout', () => {
  // What the reference implementation (safetensors 0.8.0) wrote for these names, of one byte each.
  it('has the bytes of the reference writer', () => {
    const names = [
      'a',
      'Z',
      '_',
      'é',
      '\u{1F600}',
      '\uFFFD',
      '\x7f',
      '\n"\\',
      '\x01',
      'a/b',
      '\u2028',
    ]
    const file = serializeSafetensors([
      ...names.map((name) => [name, bytes(0x78)] as const),
      ['s', counting([], 'float32', 0x31)],
      ['e', zeros([0])],
    ])
    const u8 = (at: number) => `{"dtype":"U8","shape":[1],"data_offsets":[${at},${at + 1}]}`
    expect(splitFile(file).header).toBe(
      '{"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},' +
        '"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},' +
        `"\\u0001":${u8(4)},"\\n\\"\\\\":${u8(5)},"Z":${u8(6)},"_":${u8(7)},"a":${u8(8)},"a/b":${u8(9)},` +
        `"\x7f":${u8(10)},"é":${u8(11)},"\u2028":${u8(12)},"\uFFFD":${u8(13)},"\u{1F600}":${u8(14)}}   `,
    )
    expect(new TextDecoder().decode(splitFile(file).data)).toBe('1234xxxxxxxxxxx')
    expect(file.length).toBe(8 + 0x2c8 + 15)
  })

  it('orders dtypes as the reference writer does', () => {
    const reference =
      'U64 I64 F64 C64 F32 U32 I32 BF16 F16 U16 I16 F8_E5M2FNUZ F8_E4M3FNUZ F8_E8M0 F8_E4M3 F8_E5M2 I8 U8 F4 BOOL'
    const dtypes = reference.split(' ') as FileDType[]
    const layout = planLayout(dtypes.toReversed().map((dtype) => [dtype, { dtype, shape: [2] }]))
    expect([...layout.tensors.keys()].join(' ')).toBe(reference)
    expect(FILE_DTYPE_NAMES.filter((name) => !name.startsWith('F6_')).join(' ')).toBe(reference)
  })

  it('orders names by their UTF-8 bytes', () => {
    const name = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(Math.sign(compareNames(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
    )
  })

  it('sorts metadata, so that equal contents are equal bytes', () => {
    const a = serializeSafetensors([['t', bytes(1)]], { b: '2', a: '1' })
    const b = serializeSafetensors(
      [['t', bytes(1)]],
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    )
    expect(a).toEqual(b)
    expect(splitFile(a).header).toBe(
      '{"__metadata__":{"a":"1","b":"2"},"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}  ',
    )
  })

  it('takes a Map and buffers of another realm, such as a frame', async () => {
    const foreign: unknown = runInNewContext(`new Map([['a', '1']])`)
    const file = serializeSafetensors([['t', bytes(1)]], foreign as Map<string, string>)
    expect(splitFile(file).header).toContain('"__metadata__":{"a":"1"}')
    const buffer: ArrayBuffer = runInNewContext('new Uint8Array(bytes).buffer', {
      bytes: [...file],
    })
    const opened = await openSafetensors(bytesSource(buffer))
    expect([...opened.tensors.keys()]).toEqual(['t'])
    expect(() => bytesSource('file' as never)).toThrow(
      'Expected bytes as a Uint8Array or an ArrayBuffer, got String.',
    )
  })

  it('refuses what no reader would take', async () => {
    const one = bytes(1)
    const fails = (...args: Parameters<typeof serializeSafetensors>) =>
      messageOf(() => serializeSafetensors(...args))
    expect(await fails([['__metadata__', one]])).toBe(
      '[@ao/safetensors] Expected a tensor name, got "__metadata__". Files keep that name for their metadata.',
    )
    expect(
      await fails([
        ['a', one],
        ['a', one],
      ]),
    ).toBe(
      '[@ao/safetensors] Expected tensors with names of their own, got "a" twice. Rename one of them.',
    )
    expect(await fails([['\ud800', one]])).toContain('a tensor name of Unicode text, got "\\ud800"')
    expect(await fails([], { a: '\udc00' })).toContain('metadata to be Unicode text, got "a"')
    expect(await fails([], { a: 'x'.repeat(100_000_000) })).toContain(
      'a header of at most 100000000 bytes, got 100000032. Readers refuse longer ones',
    )
    expect(await fails([['w', int8Tensor(1, 1)]])).toContain(
      'Expected w to be dense, got Int8Tensor(',
    )
    expect(await messageOf(() => planLayout([['a', { dtype: 'F4', shape: [3] }]]))).toContain(
      '"a" to fill whole bytes, got 12 bits of F4.',
    )
  })

  it('gives back whatever was written', async () => {
    const dtypes = [
      'float32',
      'bfloat16',
      'int8',
      'uint8',
      'int64',
      'bool',
      'float8_e4m3fn',
    ] as const
    const tensor = fc
      .tuple(
        fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
        fc.constantFrom(...dtypes),
        fc.nat(250),
      )
      .map(([shape, dtype, first]) => counting(shape, dtype, first))
    const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__metadata__')
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, tensor),
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })),
        async (tensors, metadata) => {
          const file = await openSafetensors(
            bytesSource(serializeSafetensors(Object.entries(tensors), metadata)),
          )
          expect(file.tensors.size).toBe(Object.keys(tensors).length)
          expect(new Map(file.metadata)).toEqual(new Map(Object.entries(metadata)))
          for (const [key, written] of Object.entries(tensors)) {
            const read = await file.read(key)
            expect([read.shape, read.dtype]).toEqual([written.shape, written.dtype])
            expect(bytesOf(read)).toEqual(bytesOf(written))
          }
        },
      ),
    )
  })
})

describe('writing to disk', () => {
  const tensors = new Map<string, DenseTensor>([
    ['b', counting([3, 5], 'bfloat16')],
    ['a', counting([100, 7], 'int8')],
    ['view', counting([6, 4], 'float32').transpose(0, 1).slice(0, 1, 3)],
  ])

  it('is read by the independent reader', async () => {
    await writeSafetensors(await fileSink(path('a.safetensors')), tensors, { format: 'pt' })
    const raw = readRawSafetensors(path('a.safetensors'))
    expect(raw.metadata).toEqual({ format: 'pt' })
    expect([...raw.tensors.keys()]).toEqual(['view', 'b', 'a'])
    for (const [name, tensor] of tensors) {
      expect(raw.tensors.get(name)?.shape).toEqual(tensor.shape)
      expect(raw.tensors.get(name)?.bytes).toEqual(bytesOf(tensor))
    }
    const whole = serializeSafetensors(tensors, { format: 'pt' })
    expect(same(readFileSync(path('a.safetensors')), whole)).toBe(true)
    expect(readdirSync(root)).toEqual(['a.safetensors'])
  })

  it('reads tensors back from their device, one at a time', async () => {
    let held = 0
    const device: Device = {
      ...meta,
      name: 'far',
      download: async () => {
        expect(++held).toBe(1)
        await new Promise((done) => setTimeout(done, 1))
        held--
        return Uint8Array.of(1, 2)
      },
    }
    const far = (): DenseTensor =>
      zeros([2], 'uint8', { ...device, allocate: (dtype, length) => ({ device, dtype, length }) })
    await writeSafetensors(await fileSink(path('far')), [
      ['x', far()],
      ['y', far()],
    ])
    expect(splitFile(readFileSync(path('far'))).data).toEqual(Buffer.of(1, 2, 1, 2))
  })

  it('leaves the old file when a tensor cannot be read', async () => {
    writeFileSync(path('kept'), 'old')
    const before = readdirSync(root)
    const broken = [...tensors, ['z', zeros([2], 'uint8', meta)] as const]
    expect(
      await messageOf(async () => writeSafetensors(await fileSink(path('kept')), broken)),
    ).toContain('Expected a tensor that holds numbers')
    expect(readFileSync(path('kept'), 'utf8')).toBe('old')
    expect(readdirSync(root)).toEqual(before)
  })

  it('shows nothing before commit, and nothing but the file after', async () => {
    writeFileSync(path('old'), 'old')
    const sink = await fileSink(path('old'))
    await sink.write(4, Uint8Array.of(5, 6))
    await sink.write(0, Uint8Array.of(1, 2, 3, 4))
    expect(readFileSync(path('old'), 'utf8')).toBe('old')
    expect(
      readdirSync(root).filter((name) => /^old\.\d+-[0-9a-f]{8}\.partial$/.test(name)).length,
    ).toBe(1)
    await sink.commit()
    await sink.abort()
    expect([...readFileSync(path('old'))]).toEqual([1, 2, 3, 4, 5, 6])
    expect(readdirSync(root).filter((name) => name.endsWith('partial'))).toEqual([])
  })

  it('lets two writers of one file not meet', async () => {
    const [first, second] = await Promise.all([fileSink(path('both')), fileSink(path('both'))])
    await first.write(0, Uint8Array.of(1))
    await second.write(0, Uint8Array.of(2))
    await first.commit()
    await second.commit()
    expect([...readFileSync(path('both'))]).toEqual([2])
  })

  it('replaces a link, and not the file that it leads to', async () => {
    writeFileSync(path('target'), 'target')
    symlinkSync('target', path('link'))
    const sink = await fileSink(path('link'))
    await sink.write(0, Uint8Array.of(7))
    await sink.commit()
    expect([...readFileSync(path('link'))]).toEqual([7])
    expect(readFileSync(path('target'), 'utf8')).toBe('target')
  })

  it('names the path that cannot be written', async () => {
    mkdirSync(path('folder'))
    chmodSync(root, 0o500)
    const cases: [() => Promise<unknown>, string][] = [
      [() => fileSink(path('none/x')), `${path('none/x')} to be writable, got ENOENT`],
      [
        () => fileSink(path('a.safetensors/x')),
        `${path('a.safetensors/x')} to be writable, got ENOTDIR`,
      ],
      [
        () => directory(path('a.safetensors/x')).create('y', 1),
        `${path('a.safetensors/x')} to be a writable folder, got ENOTDIR`,
      ],
      [
        async () => (await fileSink(path('folder'))).commit(),
        `${path('folder')} to be writable, got EISDIR`,
      ],
      [() => asNobody(() => fileSink(path('x'))), `${path('x')} to be writable, got EACCES`],
    ]
    for (const [action, message] of cases) {
      const error = await action().catch((thrown: unknown) => thrown)
      expect((error as Error).message).toContain(`[@ao/safetensors] Expected ${message}`)
      expect(FileError.isInstance(error)).toBe(true)
    }
    chmodSync(root, 0o700)
    expect(readdirSync(root).filter((name) => name.endsWith('partial'))).toEqual([])
  })

  it('makes the folder that it writes to', async () => {
    const folder = directory(path('new/deep'))
    const sink = await folder.create('x', 1)
    await sink.write(0, Uint8Array.of(1))
    await sink.commit()
    expect(await folder.list()).toEqual(['x'])
  })
})

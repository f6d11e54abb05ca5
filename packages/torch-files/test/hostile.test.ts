import { describe, expect, it } from 'vitest'
import { FormatError } from '@ao/base-tensor'
import { bytesSource } from '@ao/safetensors'
import {
  dataclass,
  enumValue,
  orderedDict,
  py,
  PyCall,
  PyPersistent,
  PyRaw,
  PyTuple,
  subclass,
  torchSave,
  TorchSaver,
} from '@ao/test-data'
import { BOMBS, bombFile, openBomb } from './bombs.ts'
import { counted, messageOf, openTorch } from './helpers.ts'

const ONE = { dtype: 'uint8', shape: [4], bytes: new Uint8Array(4) }

/** A file with one tensor and, under `x`, what is given. */
function fileWith(x: unknown): Uint8Array {
  const saver = new TorchSaver()
  return saver.file(
    new Map([
      ['t', saver.tensor(ONE)],
      ['x', x as PyCall],
    ]),
  )
}

describe('a pickle that would run something is refused by the name of that', () => {
  const call = (path: string, ...args: unknown[]): PyCall => new PyCall(py(path), args)
  it.each<[string, unknown]>([
    ['os.system', call('os.system', 'echo ran')],
    ['posix.system', call('posix.system', 'echo ran')],
    ['builtins.eval', call('builtins.eval', '1')],
    ['__builtin__.exec', call('__builtin__.exec', '1')],
    ['__builtin__.getattr', call('__builtin__.getattr', py('torch.Tensor'), '__class__')],
    ['subprocess.Popen', call('subprocess.Popen', ['ls'])],
    ['numpy.core.multiarray._reconstruct', call('numpy.core.multiarray._reconstruct')],
    ['torch.load', call('torch.load', 'other.bin')],
    ['torch.hub.load', call('torch.hub.load', 'a')],
    ['torch._utils._rebuild_qtensor', call('torch._utils._rebuild_qtensor')],
    ['torch.FloatTensor', call('torch.FloatTensor')],
    ['torch.nn.modules.linear.Linear', dataclass('torch.nn.modules.linear.Linear')],
    ['torchao.utils.run', call('torchao.utils.run')],
    ['torchao_evil.Int8Tensor', py('torchao_evil.Int8Tensor')],
    ['__main__.Model', dataclass('__main__.Model')],
    ['__torch__.Model', dataclass('__torch__.Model')],
    ['collections.defaultdict', call('collections.defaultdict')],
  ])('%s', async (path, value) => {
    const message = await messageOf(() => openTorch(fileWith(value)))
    expect(message).toMatch(
      'Expected the pickle in model.bin to name only what state dicts are made of, got ' +
        `${JSON.stringify(path)}.`,
    )
  })

  it.each<[string, unknown, string]>([
    ['a class that is only named', call('torch.Tensor'), '"torch.Tensor"'],
    ['a class of torchao', call('torchao.quantization.Int8Tensor'), '"Int8Tensor"'],
    [
      'a function that quantizes',
      call('torchao.quantization.quant_api._int8_asymm_per_token_quant'),
      '"_int8_asymm_per_token_quant"',
    ],
    ['a dtype', call('torch.bfloat16'), 'a TorchDType'],
    ['what a call gave', new PyCall(orderedDict(), []), 'a dict of 0'],
    ['a text', new PyCall('os.system', []), '"os.system"'],
  ])('a call of %s', async (_, value, got) => {
    expect(await messageOf(() => openTorch(fileWith(value)))).toMatch(
      `Expected the pickle in model.bin to call only what rebuilds tensors, got ${got}.`,
    )
  })

  it('a rebuilding that rebuilds by itself', async () => {
    let args: unknown[] = [
      py('torch._tensor._rebuild_from_type_v2'),
      py('torch.Tensor'),
      new PyTuple(),
      null,
    ]
    for (let i = 0; i < 3; i++)
      args = [py('torch._tensor._rebuild_from_type_v2'), null, new PyTuple(...args), null]
    const value = new PyCall(py('torch._tensor._rebuild_from_type_v2'), args)
    expect(await messageOf(() => openTorch(fileWith(value)))).toMatch(
      '"torch._tensor._rebuild_from_type_v2"',
    )
  })
})

describe('instructions that torch.save does not write are refused by name', () => {
  it.each([
    ['30', 'POP'],
    ['31', 'POP_MARK'],
    ['32', 'DUP'],
    ['42', 'BINBYTES'],
    ['43', 'SHORT_BINBYTES'],
    ['46', 'FLOAT'],
    ['49', 'INT'],
    ['4c', 'LONG'],
    ['50', 'PERSID'],
    ['53', 'STRING'],
    ['54', 'BINSTRING'],
    ['56', 'UNICODE'],
    ['64', 'DICT'],
    ['67', 'GET'],
    ['69', 'INST'],
    ['6c', 'LIST'],
    ['6f', 'OBJ'],
    ['70', 'PUT'],
    ['82', 'EXT1'],
    ['83', 'EXT2'],
    ['84', 'EXT4'],
    ['8b', 'LONG4'],
    ['8d', 'BINUNICODE8'],
    ['8e', 'BINBYTES8'],
    ['8f', 'EMPTY_SET'],
    ['90', 'ADDITEMS'],
    ['91', 'FROZENSET'],
    ['92', 'NEWOBJ_EX'],
    ['96', 'BYTEARRAY8'],
    ['97', 'NEXT_BUFFER'],
    ['98', 'READONLY_BUFFER'],
  ])('0x%s %s', async (hex, name) => {
    const message = await messageOf(() =>
      openTorch(fileWith(new PyRaw(Uint8Array.of(parseInt(hex, 16))))),
    )
    expect(message).toMatch(
      `the instructions that torch.save writes, got ${name} (0x${hex}) at byte`,
    )
  })

  it('bytes that no instruction has', async () => {
    for (const byte of [0x00, 0x33, 0x7f, 0x99, 0xff]) {
      const message = await messageOf(() => openTorch(fileWith(new PyRaw(Uint8Array.of(byte)))))
      expect(message).toMatch(/got the byte 0x\w\w at byte/)
    }
  })
})

describe('a damaged pickle is refused', () => {
  const file = (...bytes: (number | string)[]): Uint8Array =>
    new TorchSaver().file(
      Uint8Array.from(
        bytes.flatMap((part) =>
          typeof part === 'string' ? [...new TextEncoder().encode(part)] : [part],
        ),
      ),
    )
  it.each<[string, Uint8Array, string]>([
    ['no bytes', file(), '1 bytes at 0'],
    ['no end', file('}'), '1 bytes at 1'],
    ['no value', file('.'), 'a value on the stack'],
    ['a mark at its end', file('(.'), 'a value on the stack'],
    ['two values', file('}}.'), 'one value at its end'],
    ['protocol 6', file(0x80, 6, '}.'), 'a pickle of protocol 2 to 5'],
    ['no mark', file('}u.'), 'a mark on the stack'],
    ['a number that nothing has', file('h', 7, '.'), 'a value with the number 7'],
    ['three items for pairs', file('}(NNNu.'), 'pairs for a dict'],
    ['items for a number', file('K', 1, '(NNu.'), 'pairs for a dict'],
    ['entries of a dict', file('}Na.'), 'a list or tuple'],
    ['a call with no tuple', file('ccollections\nOrderedDict\nNR.'), 'a list or tuple'],
    ['text beyond its end', file('X', 255, 255, 255, 255, 'a.'), '4294967295 bytes at 5'],
    ['text that is not UTF-8', file('X', 1, 0, 0, 0, 0xff, '.'), 'UTF-8 at byte 5'],
    ['a name without an end', file('cos'), 'a name of at most 512 bytes'],
    ['a number of 255 bytes', file(0x8a, 255, '.'), 'numbers of 64 bits at most'],
    ['names that are no texts', file('NN', 0x93, '.'), 'a name of Python as two texts'],
    ['a state for a number', file('K', 1, '}b.'), 'give state to what has some'],
    ['an object of a number', file('K', 1, ')', 0x81, '.'), 'call only what rebuilds tensors'],
    ['an id that is none', file('K', 1, 'Q.'), 'a tuple in the pickle'],
  ])('%s', async (_, bytes, expected) => {
    const message = await messageOf(() => openTorch(bytes))
    expect(message).toContain('[@ao/torch-files] Expected ')
    expect(message).toContain(expected)
  })
})

describe('tensors that cannot be are refused', () => {
  const rebuilt = (args: unknown[], type = 'torch._utils._rebuild_tensor_v2'): Uint8Array =>
    new TorchSaver().file(new Map([['t', new PyCall(py(type), args)]]), {
      parts: (parts) => [...parts, { name: 'archive/data/0', bytes: new Uint8Array(64) }],
    })
  const storage = (
    elements: unknown = 64,
    key: unknown = '0',
    type: unknown = py('torch.ByteStorage'),
  ): PyPersistent => new PyPersistent(new PyTuple('storage', type, key, 'cpu', elements))
  const tuple = (...sizes: unknown[]): PyTuple => new PyTuple(...sizes)
  it.each<[string, unknown[], string]>([
    [
      'out of the storage',
      [storage(), 0, tuple(65), tuple(1)],
      'to lie in its storage of 64 bytes, got bytes 0 to 65',
    ],
    ['beyond its offset', [storage(), 60, tuple(5), tuple(1)], 'got bytes 60 to 65'],
    ['by its strides', [storage(), 0, tuple(2, 2), tuple(63, 1)], 'got bytes 0 to 65'],
    [
      'a storage beyond the entry',
      [storage(65), 0, tuple(1), tuple(1)],
      '65 bytes of the storage "0" in model.bin, got 64',
    ],
    [
      'a storage that is not there',
      [storage(4, '9'), 0, tuple(1), tuple(1)],
      'the storage "9" of "t"',
    ],
    ['a storage elsewhere', [storage(4, '../data.pkl'), 0, tuple(1), tuple(1)], 'no such entry'],
    [
      'larger than its file',
      [storage(), 0, tuple(2 ** 40, 2 ** 40), tuple(0, 0)],
      'to be smaller than model.bin',
    ],
    [
      'endless',
      [
        storage(),
        0,
        tuple(...Array.from({ length: 40 }, () => 2 ** 52)),
        tuple(...Array.from({ length: 40 }, () => 0)),
      ],
      'got Infinity bytes',
    ],
    ['of negative size', [storage(), 0, tuple(-1), tuple(1)], 'sizes in'],
    ['of a negative stride', [storage(), 3, tuple(2), tuple(-1)], 'sizes in'],
    ['of a negative offset', [storage(), -1, tuple(2), tuple(1)], 'sizes in'],
    ['of half a size', [storage(), 0, tuple(1.5), tuple(1)], 'sizes in'],
    ['of sizes that are no tuple', [storage(), 0, 4, tuple(1)], 'a tuple in'],
    [
      'with fewer strides than sizes',
      [storage(), 0, tuple(2, 2), tuple(1)],
      'a stride for each size of "t"',
    ],
    [
      'of 65 dimensions',
      [
        storage(),
        0,
        tuple(...Array.from({ length: 65 }, () => 1)),
        tuple(...Array.from({ length: 65 }, () => 1)),
      ],
      'at most 64',
    ],
    ['without a storage', [null, 0, tuple(1), tuple(1)], 'to have a storage and a dtype, got None'],
    [
      'of a storage of no class',
      [storage(4, '0', 'ByteStorage'), 0, tuple(1), tuple(1)],
      'storages in',
    ],
    ['of a storage of no name', [storage(4, 7), 0, tuple(1), tuple(1)], 'storages in'],
    [
      'of no dtype',
      [storage(4, '0', py('torch.storage.UntypedStorage')), 0, tuple(1), tuple(1)],
      'to have a storage and a dtype',
    ],
  ])('%s', async (_, args, expected) => {
    const { source, longest } = counted(rebuilt(args))
    expect(await messageOf(() => openTorch(source))).toContain(expected)
    expect(longest()).toBeLessThanOrEqual(source.size)
  })

  it('that repeat a few bytes more often than any model does', async () => {
    const saver = new TorchSaver()
    const large = saver.tensor({ dtype: 'uint8', shape: [100_000], bytes: new Uint8Array(100_000) })
    const file = saver.file(new Map(Array.from({ length: 20 }, (_, i) => [`t${i}`, large])))
    expect(await messageOf(() => openTorch(file))).toMatch(
      'tensors of model.bin that share few of their bytes, got 2000000 bytes of',
    )
  })
})

describe('attributes that cannot be are refused', () => {
  const saver = new TorchSaver()
  const parts = { qdata: saver.tensor(ONE), scale: saver.tensor(ONE) }
  const int8 = (state: Record<string, unknown>): Uint8Array =>
    saver.file(
      new Map([
        [
          'a.weight',
          subclass('torchao.quantization.Int8Tensor', 'float32', [4], { ...parts, ...state }),
        ],
      ]),
    )
  /** A list that holds the one before twice, and so on: 2 ** 60 values. */
  const doubled = (): unknown => {
    let list: unknown = []
    for (let i = 0; i < 60; i++) list = [list, list]
    return list
  }
  const endless: unknown[] = []
  endless.push(endless)
  it.each<[string, unknown, string]>([
    ['lists that double', doubled(), 'one of a few values'],
    ['a list in itself', endless, 'one of a few values'],
    ['many values', Array.from({ length: 1001 }, () => 1), 'one of a few values'],
    ['a long text', 'x'.repeat(1001), '1000 characters at most'],
    ['infinity', Infinity, 'a value that metadata can hold'],
    [
      'a member that the enum has not',
      enumValue('torchao.x.MappingType', 9),
      'a member of MappingType, got 9',
    ],
    ['a member of no name', enumValue('torchao.x.MappingType', ['a']), 'a member of MappingType'],
    [
      'more fields than it has',
      new PyCall(py('torchao.x.PerRow'), [1], { isNew: true }),
      'PerRow with 0 fields',
    ],
    [
      'a tensor class',
      subclass('torchao.x.Int8Tensor', 'float32', [4], {}),
      'a value that metadata can hold',
    ],
  ])('%s', async (_, value, expected) => {
    const message = await messageOf(() => openTorch(int8({ block_size: value })))
    expect(message).toContain(expected)
  })

  it('a class that is no tensor, and names that come twice', async () => {
    const wrong = saver.file(new Map([['a.w', subclass('torchao.x.PerRow', 'float32', [4], {})]]))
    expect(await messageOf(() => openTorch(wrong))).toMatch('tensor classes of torchao in')
    const twice = saver.file(
      new Map<string, unknown>([
        ['a._weight_qdata', saver.tensor(ONE)],
        ['a.weight', subclass('torchao.x.Int8Tensor', 'float32', [4], parts)],
      ]),
    )
    expect(await messageOf(() => openTorch(twice))).toMatch('got "a._weight_qdata" twice.')
  })
})

describe('what asks for much memory', () => {
  it.each(['one dict, over and over', 'tuples in each other', 'names of one quantized tensor'])(
    '%s',
    async (name) => {
      expect(Object.keys(BOMBS)).toContain(name)
      expect(await openBomb(bombFile(name))).toMatch(/^FormatError: \[@ao\/torch-files\] Expected /)
    },
  )
})

it('closes what it refuses, with errors of its own kind', async () => {
  let closed = 0
  const source = { ...bytesSource(torchSave([]), 'model.bin'), close: async () => void closed++ }
  await expect(openTorch(source)).rejects.toThrow(FormatError)
  expect(closed).toBe(1)
})

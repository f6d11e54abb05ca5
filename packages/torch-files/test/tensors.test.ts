import { describe, expect, it } from 'vitest'
import { readFloat32, type DenseTensor, type Tensor } from '@ao/base-tensor'
import {
  blobFolder,
  memoryFolder,
  openCheckpoint,
  serializeSafetensors,
  transformCheckpoint,
  urlFolder,
} from '@ao/safetensors'
import {
  orderedDict,
  PyCall,
  py,
  TorchSaver,
  torchSave,
  type TorchTensorToSave,
} from '@ao/test-data'
import { torchFiles, torchFilesWith } from '../src/index.ts'
import { bytesOf, counting, messageOf, openTorch, partBytes } from './helpers.ts'

const fileKinds = [torchFiles]
const bytes = counting(24)
const numbersOf = async (tensor: Tensor): Promise<number[]> => [
  ...(await readFloat32(tensor as DenseTensor)),
]

describe('a tensor', () => {
  it.each<[string, Omit<TorchTensorToSave, 'bytes'>, number[]]>([
    ['in order', { dtype: 'int16', shape: [3, 4] }, [...bytes]],
    [
      'from the middle of its storage',
      { dtype: 'uint8', shape: [2, 3], offset: 5 },
      [5, 6, 7, 8, 9, 10],
    ],
    ['transposed', { dtype: 'uint8', shape: [3, 2], strides: [1, 3] }, [0, 3, 1, 4, 2, 5]],
    [
      'transposed, of two bytes',
      { dtype: 'int16', shape: [2, 2], strides: [1, 2] },
      [0, 1, 4, 5, 2, 3, 6, 7],
    ],
    [
      'every other column',
      { dtype: 'uint8', shape: [2, 2], strides: [4, 2], offset: 1 },
      [1, 3, 5, 7],
    ],
    ['expanded', { dtype: 'uint8', shape: [3, 2], strides: [0, 1] }, [0, 1, 0, 1, 0, 1]],
    [
      'permuted in three dimensions',
      { dtype: 'uint8', shape: [2, 2, 2], strides: [1, 4, 2] },
      [0, 2, 4, 6, 1, 3, 5, 7],
    ],
    [
      'with any stride along a size of 1',
      { dtype: 'uint8', shape: [1, 3], strides: [99, 1] },
      [0, 1, 2],
    ],
    ['of no dimension', { dtype: 'uint8', shape: [], offset: 7 }, [7]],
    ['of no element', { dtype: 'float32', shape: [0, 9] }, []],
    [
      'of no element among many',
      { dtype: 'uint8', shape: [2 ** 40, 2 ** 40, 0], strides: [1, 1, 1] },
      [],
    ],
  ])('%s has its bytes in order', async (_, tensor, expected) => {
    const checkpoint = await openTorch(torchSave([['t', { ...tensor, bytes }]]))
    expect(await partBytes(checkpoint, 't')).toEqual(expected)
    const { shape } = checkpoint.info('t')
    expect(shape).toEqual(tensor.shape)
    const file = checkpoint.files.get('model.bin')
    expect(file?.tensors.get('t')).toMatchObject({ nbytes: expected.length })
  })

  it.each([
    ['float32', 'F32', 4],
    ['float64', 'F64', 8],
    ['float16', 'F16', 2],
    ['bfloat16', 'BF16', 2],
    ['float8_e4m3fn', 'F8_E4M3', 1],
    ['float8_e5m2', 'F8_E5M2', 1],
    ['float8_e8m0fnu', 'F8_E8M0', 1],
    ['int64', 'I64', 8],
    ['int32', 'I32', 4],
    ['int16', 'I16', 2],
    ['int8', 'I8', 1],
    ['uint8', 'U8', 1],
    ['uint16', 'U16', 2],
    ['bool', 'BOOL', 1],
  ])('of %s is %s', async (dtype, stored, itemSize) => {
    const data = counting(2 * itemSize)
    const checkpoint = await openTorch(torchSave([['t', { dtype, shape: [2], bytes: data }]]))
    expect(checkpoint.info('t').parts[0]).toMatchObject({ dtype: stored, nbytes: data.length })
    expect(await partBytes(checkpoint, 't')).toEqual([...data])
  })

  it('of a machine with the other byte order is turned', async () => {
    const saver = new TorchSaver()
    const numbers = Float32Array.of(1.5, -2, 3, 4e9)
    const data = bytesOf(numbers.slice())
    for (let i = 0; i < 16; i += 4) data.subarray(i, i + 4).reverse()
    const value = orderedDict([['t', saver.tensor({ dtype: 'float32', shape: [4], bytes: data })]])
    const checkpoint = await openTorch(saver.file(value, { byteOrder: 'big' }))
    expect(await numbersOf(await checkpoint.read('t'))).toEqual([...numbers])
    expect(await messageOf(() => openTorch(saver.file(value, { byteOrder: 'odd' })))).toMatch(
      'Expected the byte order of model.bin to be little or big, got "odd".',
    )
  })

  it('of a dtype that safetensors have not is refused by its name', async () => {
    const file = torchSave([['t', { dtype: 'float4_e2m1fn_x2', shape: [2], bytes }]])
    expect(await messageOf(() => openTorch(file))).toMatch(
      'Expected "t" to be of a dtype that safetensors have, got float4_e2m1fn_x2.',
    )
  })
})

describe('a state dict', () => {
  it('keeps the order of its names, and says which tensors are one', async () => {
    const shared = counting(8)
    const checkpoint = await openTorch(
      torchSave([
        ['z.weight', { dtype: 'uint8', shape: [2, 4], bytes: shared }],
        ['a.weight', { dtype: 'uint8', shape: [2, 4], bytes: shared }],
        ['half', { dtype: 'uint8', shape: [4], bytes: shared }],
      ]),
    )
    expect(checkpoint.names).toEqual(['z.weight', 'a.weight', 'half'])
    expect(checkpoint.report).toEqual([
      {
        kind: 'shared',
        name: 'a.weight',
        message: 'Tensors share their data: a.weight and z.weight.',
      },
    ])
    expect(await partBytes(checkpoint, 'a.weight')).toEqual([...shared])
  })

  const saver = new TorchSaver()
  const weight = saver.tensor({ dtype: 'uint8', shape: [3], bytes })
  const file = (value: unknown): Uint8Array => saver.file(value)
  const dict = (...names: string[]): Map<unknown, unknown> =>
    new Map(names.map((name) => [name, weight]))

  it('leaves out what is no tensor, and says so', async () => {
    const checkpoint = await openTorch(
      file(new Map<unknown, unknown>([...dict('w'), ['epoch', 3], [7, weight]])),
    )
    expect(checkpoint.names).toEqual(['w'])
    expect(checkpoint.report.map(({ message }) => message)).toEqual([
      '"epoch" in model.bin hold no tensor: left out.',
    ])
  })

  it('takes parameters for their data', async () => {
    const parameter = new PyCall(py('torch._utils._rebuild_parameter'), [
      weight,
      true,
      orderedDict(),
    ])
    expect((await openTorch(file(new Map([['w', parameter]])))).names).toEqual(['w'])
  })

  it('is found in a file of training, or chosen there', async () => {
    const training = new Map<unknown, unknown>([
      ['model', dict('w')],
      ['epoch', 3],
    ])
    expect((await openTorch(file(training))).names).toEqual(['w'])
    training.set('ema', dict('average'))
    expect(await messageOf(() => openTorch(file(training)))).toBe(
      '[@ao/torch-files] Expected one state dict in model.bin, got several: "model", "ema". ' +
        'Choose one: torchFilesWith({ stateDict }), or --state-dict of ao.',
    )
    const chosen = await openTorch(file(training), torchFilesWith({ stateDict: 'ema' }))
    expect(chosen.names).toEqual(['average'])
    expect(
      await messageOf(() => openTorch(file(training), torchFilesWith({ stateDict: 'epoch' }))),
    ).toMatch('Expected a state dict under "epoch" in model.bin, got 3.')
  })

  it.each([
    ['a tensor', weight, 'a TorchTensor'],
    ['a list', [weight], 'a list of 1'],
    ['nothing', new Map(), 'none'],
  ])('is not %s', async (_, value, got) => {
    expect(await messageOf(() => openTorch(file(value)))).toMatch(`got ${got}.`)
  })
})

describe('a checkpoint', () => {
  const shard = (i: number): Uint8Array<ArrayBuffer> =>
    torchSave([
      [
        `layers.${i}.weight`,
        {
          dtype: 'float32',
          shape: [2, 3],
          strides: [1, 2],
          bytes: bytesOf(Float32Array.of(0, 1, 2, 3, 4, 5 + i)),
        },
      ],
      [`layers.${i}.bias`, { dtype: 'uint8', shape: [24], bytes }],
    ])
  const names = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin']
  const index = (map: Record<string, string>): Uint8Array =>
    new TextEncoder().encode(JSON.stringify({ metadata: {}, weight_map: map }))
  const weightMap = Object.fromEntries(
    [0, 1].flatMap((i) =>
      ['weight', 'bias'].map((part) => [`layers.${i}.${part}`, names[i] as string]),
    ),
  )
  const files = new Map<string, Uint8Array>([
    [names[0] as string, shard(0)],
    [names[1] as string, shard(1)],
    ['pytorch_model.bin.index.json', index(weightMap)],
  ])

  it('in shards is opened by its index, and written as safetensors in shards', async () => {
    const checkpoint = await openCheckpoint(memoryFolder(files), { fileKinds })
    expect([...checkpoint.files.keys()]).toEqual(names)
    const out = new Map<string, Uint8Array>()
    const progress: string[] = []
    await transformCheckpoint(checkpoint, memoryFolder(out), (_, tensor) => tensor, {
      onProgress: ({ fileName }) => progress.push(fileName),
    })
    expect([...out.keys()].sort()).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ])
    expect(new Set(progress)).toEqual(
      new Set([...out.keys()].filter((name) => name.endsWith('.safetensors'))),
    )
    const written = await openCheckpoint(memoryFolder(out))
    expect(await numbersOf(await written.read('layers.1.weight'))).toEqual([0, 2, 4, 1, 3, 6])
    expect(await partBytes(written, 'layers.0.bias')).toEqual([...bytes])
  })

  it('must hold what its index says', async () => {
    const wrong = new Map([
      ...files,
      ['pytorch_model.bin.index.json', index({ ...weightMap, other: names[0] as string })],
    ])
    expect(await messageOf(() => openCheckpoint(memoryFolder(wrong), { fileKinds }))).toMatch(
      `Expected "other" in ${names[0]}, where pytorch_model.bin.index.json has it, got no such tensor there.`,
    )
    const less = new Map([
      ...files,
      ['pytorch_model.bin.index.json', index({ [`layers.0.weight`]: names[0] as string })],
    ])
    expect(
      (await openCheckpoint(memoryFolder(less), { fileKinds })).report.map(({ kind }) => kind),
    ).toEqual(['unindexed'])
  })

  it('is looked for after safetensors, and only where its kind is passed', async () => {
    const both = new Map([
      ['model.safetensors', serializeSafetensors([])],
      ['pytorch_model.bin', shard(0)],
    ])
    expect((await openCheckpoint(memoryFolder(both), { fileKinds })).names).toEqual([])
    both.delete('model.safetensors')
    expect((await openCheckpoint(memoryFolder(both), { fileKinds })).names).toHaveLength(2)
    expect(await messageOf(() => openCheckpoint(memoryFolder(both)))).toMatch(
      'Expected model.safetensors or model.safetensors.index.json in memory, got neither.',
    )
    expect(await messageOf(() => openCheckpoint(memoryFolder(), { fileKinds }))).toMatch(
      'Expected model.safetensors, model.safetensors.index.json, pytorch_model.bin or ' +
        'pytorch_model.bin.index.json in memory, got none.',
    )
  })

  it('is read from picked files', async () => {
    const folder = blobFolder([new File([shard(0)], 'pytorch_model.bin')])
    const checkpoint = await openCheckpoint(folder, { fileKinds })
    expect(await partBytes(checkpoint, 'layers.0.bias')).toEqual([...bytes])
  })

  it('is read from a server by ranges, without a request for each header', async () => {
    const many = Array.from({ length: 50 }, (_, i): [string, TorchTensorToSave] => [
      `t${i}`,
      { dtype: 'uint8', shape: [100_000], bytes: new Uint8Array(100_000).fill(i) },
    ])
    const file = torchSave(many)
    const asked: number[] = []
    const fetch = (async (url: string, init?: RequestInit) => {
      if (!url.endsWith('pytorch_model.bin')) return new Response(null, { status: 404 })
      const range = new Headers(init?.headers).get('range')
      const [from, last] = (/(\d+)-(\d+)/.exec(range ?? '') as RegExpExecArray).slice(1).map(Number)
      const end = Math.min((last as number) + 1, file.length)
      asked.push(end - (from as number))
      return new Response(file.slice(from, end), {
        status: 206,
        headers: { 'content-range': `bytes ${from}-${end - 1}/${file.length}` },
      })
    }) as typeof globalThis.fetch
    const checkpoint = await openCheckpoint(urlFolder('https://host.example/m', { fetch }), {
      fileKinds,
    })
    expect(asked.length).toBeLessThan(8)
    expect(asked.reduce((sum, length) => sum + length)).toBeLessThan(200_000)
    const before = asked.length
    for await (const [name, tensor] of checkpoint.entries()) {
      expect((await readFloat32(tensor as DenseTensor))[0]).toBe(Number(name.slice(1)))
    }
    // 5 MB in requests of up to 4 MiB.
    expect(asked.length - before).toBeLessThan(5)
  })
})

import {
  DenseTensor,
  cpu,
  fromFloat32Array,
  readFloat32,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, wgsl, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import {
  chooseQparamsAffine,
  chooseQparamsAffineDontPreserveZero,
  chooseQparamsAffineTinygemm,
  dequantizeAffine,
  dequantizeAffineTinygemm,
  quantizeAffine,
  quantizeAffineNoZeroPoint,
  quantizeAffineTinygemm,
  quantizeInt4Groupwise,
  quantizeInt4GroupwiseSymmetric,
  type MappingType,
} from '../src/index.ts'
import { arithmeticWgsl, webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
const kernels = [denseKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))

/** Uniform numbers of 0..1, the same in every run. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    state = Math.imul(state ^ (state >>> 13), 0x297a2d39)
    return ((state ^ (state >>> 16)) >>> 0) / 2 ** 32
  }
}

/** What each row holds: kinds of numbers that are hard to quantize. */
const KINDS: readonly ((random: () => number, i: number) => number)[] = [
  (random) => random() - 0.5 + random() - 0.5,
  (random) => (random() - 0.5) * 1e-5,
  (random) => (random() - 0.3) * 3e37,
  (_, i) => (i % 7) * 0.5 - 1.5, // ties where the scale is a power of two
  (random, i) => (i === 0 ? 127.5 : Math.floor(random() * 255) - 127 + 0.5), // ties of int8
  (random, i) => (i === 0 ? 7.5 : i === 1 ? -7.5 : Math.floor(random() * 15) - 7.5),
  () => 0,
  () => 0.3,
  (random) => -1 - random(),
  (random, i) => (i % 5 === 0 ? random() * 100 : 0),
  (random) => (random() - 0.5) * 2 ** Math.floor(random() * 40 - 30),
  (random) => (random() - 0.5) * 1e-30,
]

function numbers(shape: readonly number[], dtype: FloatDType, seed: number): DenseTensor {
  const width = shape.at(-1) as number
  const random = randomNumbers(seed)
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1))
  values.forEach((_, i) => {
    const kind = KINDS[Math.floor(i / width) % KINDS.length] as (typeof KINDS)[number]
    values[i] = kind(random, i % width)
  })
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

const DTYPES: readonly FloatDType[] = ['float32', 'bfloat16', 'float16']

describe.skipIf(!device)('division in shaders', () => {
  it('rounds as the CPU does', async () => {
    const on = device as WebGPUDevice
    const program = wgsl(
      'divide',
      `${arithmeticWgsl}
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) { c[id.x] = divide(a[id.x], b[id.x]); }`,
    )
    const random = randomNumbers(7)
    const count = 32768
    const special = [
      0,
      -0,
      1,
      -1,
      3,
      Infinity,
      -Infinity,
      NaN,
      2 ** -126,
      2 ** -149,
      3.4028234663852886e38,
      15,
      127.5,
      255,
    ]
    const bits = new Int32Array(2 * count).map(() => (random() * 2 ** 32) | 0)
    const values = new Float32Array(bits.buffer)
    for (let i = 0; i < special.length ** 2; i++) {
      values[i] = special[i % special.length] as number
      values[count + i] = special[Math.floor(i / special.length)] as number
    }
    for (let i = 1000; i < 12000; i++) {
      values[count + i] = random() + 0.5
      values[i] = Math.fround(random() + 0.5) * (i % 3 === 0 ? (values[count + i] as number) : 1)
    }
    const put = (part: Float32Array): Promise<DenseTensor> =>
      new DenseTensor(cpu.upload('float32', part), [count]).to(on) as Promise<DenseTensor>
    const [a, b] = [await put(values.slice(0, count)), await put(values.slice(count))]
    const c = on.empty([count], 'float32')
    on.dispatch(program(), { bind: [a, b, c], workgroups: [count / 64] })
    const expected = new Float32Array(count).map(
      (_, i) => (values[i] as number) / (values[count + i] as number),
    )
    expect(await readFloat32(c)).toEqual(expected)
  })
})

const BLOCKS: readonly (readonly [name: string, shape: number[], blockSize: number[]])[] = [
  ['per row', [36, 52], [1, 52]],
  ['per group', [36, 160], [1, 32]],
  ['per group of an odd size', [24, 35], [1, 5]],
  ['per tensor', [3, 11, 13], [3, 11, 13]],
  ['per row of experts', [2, 12, 20], [1, 1, -1]],
]

describe.skipIf(!device)('scales and zero points', () => {
  const on = device as WebGPUDevice
  const mappings: MappingType[] = ['SYMMETRIC', 'SYMMETRIC_NO_CLIPPING_ERR', 'ASYMMETRIC']
  it.each(DTYPES.flatMap((dtype) => mappings.map((mapping) => [mapping, dtype] as const)))(
    'are those of the reference: %s of %s',
    async (mapping, dtype) => {
      for (const [, shape, blockSize] of BLOCKS) {
        const x = numbers(shape, dtype, 3)
        const options = {
          eps: 2 ** -23,
          scaleDtype: 'float32',
          zeroPointDtype: 'int8',
          keepdim: true,
        } as const
        await expectReference(on, chooseQparamsAffine, [x, mapping, blockSize, 'int8', options])
      }
      const x = numbers([36, 64], dtype, 4)
      for (const target of ['uint8', 'int4'] as const) {
        await expectReference(on, chooseQparamsAffine, [x, mapping, [1, 16], target])
      }
    },
  )

  it.each(DTYPES)('of tinygemm, %s', async (dtype) => {
    const x = numbers([36, 64], dtype, 5)
    const bounds = { quantMin: 0, quantMax: 15, keepdim: true }
    for (const g of [32, 64]) {
      await expectReference(on, chooseQparamsAffineTinygemm, [
        x,
        'ASYMMETRIC',
        [1, g],
        'int32',
        bounds,
      ])
    }
    await expectReference(on, chooseQparamsAffineTinygemm, [
      x,
      'ASYMMETRIC',
      [1, 8],
      'int8',
      { quantMin: -3, quantMax: 100 },
    ])
    await expectReference(on, chooseQparamsAffineDontPreserveZero, [
      x,
      'ASYMMETRIC',
      [1, 32],
      'int8',
    ])
  })

  it('of rows with NaN and infinities', async () => {
    const x = new Float32Array(8 * 4).fill(1)
    x.set([NaN, 1, 2, 3, Infinity, 1, 2, 3, -Infinity, 1, 2, 3, Infinity, -Infinity, 0, 0])
    const rows = new DenseTensor(cpu.upload('float32', x), [8, 4])
    for (const mapping of mappings) {
      for (const zeroPointDtype of ['int8', 'int32'] as const) {
        const options = { scaleDtype: 'float32', zeroPointDtype } as const
        await expectReference(on, chooseQparamsAffine, [rows, mapping, [1, 4], 'int8', options])
      }
    }
  })

  it('of blocks that many workgroups share', async () => {
    const x = numbers([3, 9000], 'bfloat16', 6)
    const blockSize = [3, 9000]
    await expectReference(on, chooseQparamsAffine, [x, 'ASYMMETRIC', blockSize, 'int8'])
    await expectReference(on, chooseQparamsAffine, [x, 'SYMMETRIC', [1, 9000], 'int8'])
  })
})

/** Chooses scales on the CPU, and compares codes and the numbers that they stand for. */
async function expectCodes(
  on: WebGPUDevice,
  x: Tensor,
  mapping: MappingType,
  blockSize: number[],
  options: Parameters<typeof chooseQparamsAffine>[4] = {},
): Promise<number> {
  const { scale, zeroPoint } = chooseQparamsAffine(x, mapping, blockSize, 'int8', options)
  const { count } = await expectReference(on, quantizeAffine, [
    x,
    blockSize,
    scale,
    zeroPoint,
    'int8',
    options,
  ])
  const codes = quantizeAffine(x, blockSize, scale, zeroPoint, 'int8', options)
  const outputDtype = x.dtype as FloatDType
  await expectReference(on, dequantizeAffine, [
    codes,
    blockSize,
    scale,
    zeroPoint,
    'int8',
    { outputDtype },
  ])
  return count
}

describe.skipIf(!device)('codes', () => {
  const on = device as WebGPUDevice

  it.each(DTYPES)(
    'are those of the reference for more than 100,000 numbers of %s',
    async (dtype) => {
      const float32Scale = { eps: 2 ** -23, scaleDtype: 'float32', zeroPointDtype: 'int8' } as const
      let count = 0
      for (const [seed, mapping] of (
        ['SYMMETRIC', 'ASYMMETRIC', 'SYMMETRIC_NO_CLIPPING_ERR'] as const
      ).entries()) {
        count += await expectCodes(
          on,
          numbers([96, 256], dtype, seed),
          mapping,
          [1, 256],
          float32Scale,
        )
        count += await expectCodes(on, numbers([96, 256], dtype, seed + 10), mapping, [1, 32])
        for (const [, shape, blockSize] of BLOCKS) {
          await expectCodes(on, numbers(shape, dtype, seed + 20), mapping, blockSize, float32Scale)
        }
      }
      expect(count).toBeGreaterThan(100_000)
    },
  )

  it('of NaN and infinities', async () => {
    const x = new Float32Array(16).fill(1)
    x.set([NaN, 1, 2, 3, Infinity, -1, 2, 3, -Infinity, -1, 0, 3])
    const rows = new DenseTensor(cpu.upload('float32', x), [4, 4])
    for (const mapping of ['SYMMETRIC', 'ASYMMETRIC'] as const)
      await expectCodes(on, rows, mapping, [1, 4])
  })

  it.each(DTYPES)('of tinygemm, %s', async (dtype) => {
    const x = numbers([96, 256], dtype, 30)
    const bounds = { quantMin: 0, quantMax: 15 }
    const blockSize = [1, 32]
    for (const scaleDtype of [dtype, 'bfloat16'] as const) {
      const options = { ...bounds, scaleDtype, zeroPointDtype: scaleDtype, keepdim: true }
      const { scale, zeroPoint } = chooseQparamsAffineTinygemm(
        x,
        'ASYMMETRIC',
        blockSize,
        'int32',
        options,
      )
      const args = [x, blockSize, scale, zeroPoint, 'uint8', bounds] as const
      await expectReference(on, quantizeAffineTinygemm, [...args])
      const codes = quantizeAffineTinygemm(...args)
      for (const zero of [zeroPoint, undefined]) {
        const into = { ...bounds, outputDtype: dtype }
        await expectReference(on, dequantizeAffineTinygemm, [
          codes,
          blockSize,
          scale,
          zero,
          'uint8',
          into,
        ])
      }
    }
  })

  it('of other dtypes, and without zero points', async () => {
    const x = numbers([12, 40], 'float32', 31)
    const { scale, zeroPoint } = chooseQparamsAffine(x, 'ASYMMETRIC', [1, 8], 'int8')
    for (const storage of ['int8', 'uint8', 'int32', 'uint4'] as const) {
      const bounds = { quantMin: 0, quantMax: 15 }
      await expectReference(on, quantizeAffine, [x, [1, 8], scale, zeroPoint, storage, bounds])
      await expectReference(on, quantizeAffineNoZeroPoint, [x, [1, 8], scale, storage, bounds])
    }
    const codes = quantizeAffine(x, [1, 8], scale, zeroPoint, 'int32', {
      quantMin: -8,
      quantMax: 7,
    })
    await expectReference(on, dequantizeAffine, [codes, [1, 8], scale, undefined, 'int32'])
  })

  it('of blocks that are not neighbours are refused', async () => {
    const x = await numbers([4, 4], 'float32', 1).to(on)
    expect(() => chooseQparamsAffine(x, 'SYMMETRIC', [2, 2], 'int8')).toThrow(
      '[@ao/kernels-webgpu] Expected arguments that a kernel of chooseQparamsAffine takes: ranges, then rules ' +
        '(blocks of neighbours in memory: per tensor, row, or group along the last dimension), got others.',
    )
  })

  it('in parts where a binding shows less than the tensor', async () => {
    const capabilities = { maxBindingSize: 4096 }
    const small = await WebGPUDevice.create({ gpu: gpu as GPU, kernels, capabilities })
    const x = numbers([36, 100], 'float32', 40)
    for (const blockSize of [
      [1, 100],
      [1, 20],
      [36, 100],
    ]) {
      await expectReference(small, chooseQparamsAffine, [x, 'ASYMMETRIC', blockSize, 'int8'])
      await expectCodes(small, x, 'ASYMMETRIC', blockSize)
    }
    small.destroy()
  })
})

describe.skipIf(!device)('4-bit codes in groups', () => {
  const on = device as WebGPUDevice

  it.each(DTYPES)('are those of the reference for %s', async (dtype) => {
    for (const op of [quantizeInt4Groupwise, quantizeInt4GroupwiseSymmetric]) {
      for (const [shape, groupSize] of [
        [[96, 256], 32],
        [[96, 128], 128],
        [[2, 12, 24], 8],
      ] as const) {
        await expectReference(on, op, [numbers(shape, dtype, 50), groupSize])
      }
    }
  })
})

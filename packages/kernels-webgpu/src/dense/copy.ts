/** @file Copies between strided windows. */

import {
  asDense,
  copy,
  copyInto,
  DenseTensor,
  itemSize,
  ShapeError,
  type Tensor,
} from '@ao/base-tensor'
import { grid, kernel, type GPU, type Kernel } from '../kernel.ts'
import { wgsl } from '../program.ts'
import source from './copy.wgsl'

const copyProgram = /* @__PURE__ */ wgsl('copy', source)
const MAX_RANK = 8

/** Elements of one storage, wherever they lie. */
interface Window {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset: number
}

export const copyKernel: Kernel = /* @__PURE__ */ kernel(copy, [
  {
    name: 'strided',
    when: 'always',
    run: (gpu: GPU, source: Tensor): Tensor => {
      const target = gpu.empty(source.shape, asDense(source).dtype)
      copyElements(gpu, target, asDense(source))
      return target
    },
  },
])

export const copyIntoKernel: Kernel = /* @__PURE__ */ kernel(copyInto, [
  {
    name: 'strided',
    when: 'always',
    run: (gpu: GPU, target: Tensor, source: Tensor): void => {
      const [to, from] = [asDense(target), asDense(source)]
      copyInto.meta?.(to, from) // refuses what does not fit
      // A program cannot read what it writes.
      copyElements(gpu, to, from.storage === to.storage ? from.clone() : from)
    },
  },
])

function copyElements(gpu: GPU, target: DenseTensor, source: DenseTensor): void {
  if (source.numel === 0) return
  const bytes = itemSize(source.dtype)
  let [to, from, size] = [target as Window, source as Window, bytes]
  const runsOn = target.isContiguous && source.isContiguous
  const inWords = (count: number): boolean => (count * bytes) % 4 === 0
  if (runsOn && bytes !== 4 && [from.offset, to.offset, source.numel].every(inWords)) {
    const words = (count: number): number => (count * bytes) / 4
    const shape = [words(source.numel)]
    from = { shape, strides: [1], offset: words(from.offset) }
    to = { shape, strides: [1], offset: words(to.offset) }
    size = 4
  } else if (runsOn) {
    from = { shape: [source.numel], strides: [1], offset: from.offset }
    to = { shape: [source.numel], strides: [1], offset: to.offset }
  } else if (bytes === 8) {
    const inHalves = ({ shape, strides, offset }: Window): Window => ({
      shape: [...shape, 2],
      strides: [...strides.map((stride) => 2 * stride), 1],
      offset: 2 * offset,
    })
    from = inHalves(from)
    to = inHalves(to)
    size = 4
  }
  const perWord = 4 / size
  // A word that the target shares with elements beside it is written bit by bit.
  const isWhole =
    target.isContiguous &&
    to.offset % perWord === 0 &&
    (source.numel % perWord === 0 || target.numel === target.storage.length)
  const scatters = size < 4 && !isWhole
  const n = from.shape.reduce((product, length) => product * length, 1)
  gpu.dispatch(copyProgram({ SIZE: size, RANK: checkedRank(from.shape), SCATTER: scatters }), {
    bind: [storageOf(source), storageOf(target)],
    params: [
      n,
      from.offset,
      to.offset,
      0,
      ...reversed(from.shape, 1),
      ...reversed(from.strides, 0),
      ...reversed(to.strides, 0),
    ],
    workgroups: grid(Math.ceil(n / (scatters ? 1 : perWord) / 64)),
  })
}

/** All of a tensor's storage. */
function storageOf({ storage }: DenseTensor): DenseTensor {
  return new DenseTensor(storage, [storage.length])
}

function reversed(list: readonly number[], filler: number): number[] {
  return Array.from({ length: MAX_RANK }, (_, d) => list[list.length - 1 - d] ?? filler)
}

function checkedRank(shape: readonly number[]): number {
  if (shape.length <= MAX_RANK) return shape.length
  throw new ShapeError({
    package: '@ao/kernels-webgpu',
    expected: `at most ${MAX_RANK} dimensions`,
    got: `[${shape.join(', ')}]`,
  })
}

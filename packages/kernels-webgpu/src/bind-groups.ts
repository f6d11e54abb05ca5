/** @file Bind groups, kept by what they bind: the same work done again makes none. */

import type { Allocation } from './buffers.ts'
import { PARAMS_SIZE, type BindGroups, type BindingsLayout } from './bindings-layout.ts'

/** Part of a buffer that a program sees. */
export interface BufferRange {
  readonly allocation: Allocation
  /** Bytes. */
  readonly offset: number
  readonly size: number
}

const MAX_GROUPS = 8192

/** The key of the group itself, below the last range. */
const GROUP = 'group'

/** The bind groups of one GPU. */
export class BindGroupCache {
  readonly #gpu: GPUDevice
  readonly #params: GPUBuffer
  readonly #roots = new Set<BindGroups>()
  #count = 0

  /** @param params - what the uniform binding of all groups shows, at an offset that is given later */
  constructor(gpu: GPUDevice, params: GPUBuffer) {
    this.#gpu = gpu
    this.#params = params
  }

  /**
   * The group of `ranges`, one for each storage binding.
   *
   * @remarks Buffers are told apart by ids that never come again, so groups of those that are gone are
   * not found any more, and go when there are too many.
   */
  get(bindings: BindingsLayout, ranges: readonly BufferRange[]): GPUBindGroup {
    let level = bindings.groups
    for (const { allocation, offset, size } of ranges) {
      level = below(below(level, allocation.id), offset === 0 ? size : `${offset}+${size}`)
    }
    return (level.get(GROUP) as GPUBindGroup | undefined) ?? this.#make(bindings, ranges, level)
  }

  #make(bindings: BindingsLayout, ranges: readonly BufferRange[], level: BindGroups): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = ranges.map(({ allocation, offset, size }, binding) => ({
      binding,
      resource: { buffer: allocation.buffer, offset, size },
    }))
    if (bindings.hasParams) {
      const resource = { buffer: this.#params, size: PARAMS_SIZE }
      entries.push({ binding: ranges.length, resource })
    }
    const group = this.#gpu.createBindGroup({ layout: bindings.layout, entries })
    if (this.#count++ >= MAX_GROUPS) this.clear()
    level.set(GROUP, group)
    this.#roots.add(bindings.groups)
    return group
  }

  clear(): void {
    for (const root of this.#roots) root.clear()
    this.#roots.clear()
    this.#count = 0
  }
}

function below(groups: BindGroups, key: number | string): BindGroups {
  let level = groups.get(key) as BindGroups | undefined
  if (!level) groups.set(key, (level = new Map()))
  return level
}

/** @file Buffers that numbers are read back through. */

const MAX_KEPT_SIZE = 65536
const MAX_KEPT = 8

/** Small ones are kept to be used again: decoding reads a few bytes for each token. */
export class StagingBuffers {
  readonly #gpu: GPUDevice
  readonly #free: GPUBuffer[] = []

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
  }

  /** A buffer of at least `bytes`, not mapped. */
  take(bytes: number): GPUBuffer {
    const at = this.#free.findIndex(({ size }) => size >= bytes)
    const [found] = at < 0 ? [] : this.#free.splice(at, 1)
    if (found) return found
    const size = bytes > MAX_KEPT_SIZE ? bytes : Math.max(2 ** Math.ceil(Math.log2(bytes)), 256)
    return this.#gpu.createBuffer({ size, usage: 0x01 | 0x08 }) // MAP_READ | COPY_DST
  }

  /** Takes a mapped buffer back. */
  give(buffer: GPUBuffer): void {
    if (buffer.size > MAX_KEPT_SIZE || this.#free.length >= MAX_KEPT) return buffer.destroy()
    buffer.unmap()
    this.#free.push(buffer)
  }

  destroy(): void {
    for (const buffer of this.#free.splice(0)) buffer.destroy()
  }
}

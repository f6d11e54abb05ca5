/** @file The rotations of a model's layers, kept for as long as the texts that are read. */

import { freeTensor, type Device, type FloatDType } from '@ao/base-tensor'
import { ropeRegime, rotaryFrequencies, rotaryTable, type RotaryTable } from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'

/** A table for each rope that the layers have; more of them where rotations depend on the text's length. */
export class RotaryTables {
  readonly #config: CausalLMConfig
  readonly #ropes: readonly string[]
  readonly #indices: readonly number[]
  readonly #tables = new Map<string, RotaryTable>()

  constructor(config: CausalLMConfig) {
    const { rope, layerRopes = new Array<typeof rope>(config.numLayers).fill(rope) } = config
    const all = layerRopes.map((one) => JSON.stringify(one))
    this.#config = config
    this.#ropes = [...new Set(all)]
    this.#indices = all.map((one) => this.#ropes.indexOf(one))
  }

  /** What rotations of a text of `length` tokens depend on besides positions; undefined for nothing. */
  regime(length: number): string | undefined {
    const regimes = this.#ropes.map((_, i) => this.#regimeOf(i, length))
    return regimes.some((one) => one !== undefined) ? regimes.join() : undefined
  }

  /** The table of each layer, for a text of `length` tokens. */
  ofLayers(length: number, dtype: FloatDType, device: Device): readonly RotaryTable[] {
    const tables = this.#ropes.map((_, i) => this.#table(i, length, dtype, device))
    return this.#indices.map((i) => tables[i] as RotaryTable)
  }

  #rope(index: number): CausalLMConfig['rope'] {
    const { rope, layerRopes } = this.#config
    return layerRopes?.[this.#indices.indexOf(index)] ?? rope
  }

  #regimeOf(index: number, length: number): number | undefined {
    return ropeRegime(this.#rope(index), length)
  }

  #table(index: number, length: number, dtype: FloatDType, device: Device): RotaryTable {
    const { rotaryDim, headDim, maxPositions } = this.#config
    const regime = this.#regimeOf(index, length)
    const key = `${index} ${regime ?? 0}`
    const known = this.#tables.get(key)
    const [held = 0] = known?.cos.shape ?? []
    const { dtype: knownDType, device: knownDevice } = known?.cos ?? {}
    if (known && held >= length && knownDType === dtype && knownDevice === device) return known
    this.#drop(key)
    // Of tables for one length alone, the last one stays.
    if ((regime ?? 0) > 1) {
      for (const other of this.#tables.keys()) {
        if (other.startsWith(`${index} `) && !other.endsWith(' 0')) this.#drop(other)
      }
    }
    const frequencies = rotaryFrequencies(this.#rope(index), rotaryDim ?? headDim, length)
    const positions = Math.min(Math.max(length, 2 * held), maxPositions)
    const table = rotaryTable(frequencies, positions, dtype, device)
    this.#tables.set(key, table)
    return table
  }

  #drop(key: string): void {
    const table = this.#tables.get(key)
    this.#tables.delete(key)
    if (table) [table.cos, table.sin].forEach(freeTensor)
  }
}

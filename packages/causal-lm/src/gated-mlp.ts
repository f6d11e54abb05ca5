/** @file The gated MLP: `down(act(gate(x)) * up(x))`. */

import { slice, takes, type Tensor } from '@ao/base-tensor'
import { Module } from '@ao/nn'
import { gatedActivation, type GateActivation } from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'
import { adopt, child, makeLinear, type MakeParameter } from './module.ts'

/** What checkpoints call the parts of a {@link GatedMLP}. */
export interface GatedMLPNames {
  readonly gate: string
  readonly up: string
  /** Both in one, where the config says so. */
  readonly gateUp: string
  readonly down: string
}

const NAMES: GatedMLPNames = {
  ...{ gate: 'gate_proj', up: 'up_proj', gateUp: 'gate_up_proj', down: 'down_proj' },
}

/** The gated MLP: `down(act(gate(x)) * up(x))`. */
export class GatedMLP extends Module {
  readonly #act: GateActivation
  readonly #names: GatedMLPNames
  readonly #isFused: boolean

  /** @param names - Llama's unless given */
  constructor(config: CausalLMConfig, make: MakeParameter, names: Partial<GatedMLPNames> = {}) {
    takes('o<vocabSize:n hiddenSize:n intermediateSize:n>fo?', config, make, names)
    super()
    const { hiddenSize, intermediateSize: width, mlpBias: bias, isFused = false } = config
    this.#act = config.hiddenAct
    this.#names = { ...NAMES, ...names }
    this.#isFused = isFused
    const { gate, up, gateUp, down } = this.#names
    const inward = (rows: number): Module => makeLinear(make, rows, hiddenSize, bias)
    adopt(
      this,
      isFused ? { [gateUp]: inward(2 * width) } : { [gate]: inward(width), [up]: inward(width) },
    )
    adopt(this, { [down]: makeLinear(make, hiddenSize, width, bias) })
  }

  forward(x: Tensor): Tensor {
    takes('t', x)
    const { gate, up, gateUp, down } = this.#names
    const [a, b] = this.#isFused
      ? halves(child(this, gateUp).forward(x))
      : [child(this, gate).forward(x), child(this, up).forward(x)]
    return child(this, down).forward(gatedActivation(a, b, this.#act))
  }
}

/** The two halves of the last dimension. */
export function halves(x: Tensor): readonly [first: Tensor, second: Tensor] {
  takes('t', x)
  const half = (x.shape.at(-1) as number) / 2
  const part = (from: number): Tensor => slice(x, x.ndim - 1, from, from + half).contiguous()
  return [part(0), part(half)]
}

/**
 * @file Mixtures of experts: a router sends each token through a few of many MLPs.
 *
 * Shapes in comments: T tokens, E experts, H hiddenSize, I the width of an expert.
 */

import {
  add,
  cat,
  embedding,
  freeTensor,
  hostArray,
  index,
  inScope,
  isTensorSubclass,
  linear,
  reshape,
  select,
  slice,
  takes,
  unsqueeze,
  view,
  type DenseTensor,
  type Tensor,
  type TensorSubclassType,
} from '@ao/base-tensor'
import { Module, type Linear } from '@ao/nn'
import { gatedActivation } from '@ao/text-generation'
import type { CausalLMConfig, ExpertsConfig } from './config.ts'
import { halves } from './gated-mlp.ts'
import { adopt, child, makeLinear, type MakeParameter } from './module.ts'
import { combineExperts } from './ops/combine-experts.ts'
import { routeTokens } from './ops/route-tokens.ts'

/** What mixtures of different families do differently; absent fields are those of Mixtral. */
export interface SparseMoEOptions {
  /** What checkpoints call the router: `gate` unless given. */
  readonly router?: string
  /** Whether the router and the experts have biases; false unless given. */
  readonly hasBiases?: boolean
  /** What an expert makes of gate and up, (rows, 2 I) -> (rows, I): `act(gate) * up` of both halves unless given. */
  readonly activate?: (gateUp: Tensor) => Tensor
}

/** The weights of all experts of a layer, stacked. */
export class Experts extends Module {
  /** (E, 2 I, H): gate and up of each. */
  gate_up_proj: Tensor
  /** (E, H, I) */
  down_proj: Tensor
  /** (E, 2 I) */
  gate_up_proj_bias: Tensor | undefined
  /** (E, H) */
  down_proj_bias: Tensor | undefined

  constructor(
    { hiddenSize }: CausalLMConfig,
    { count, intermediateSize }: ExpertsConfig,
    make: MakeParameter,
    hasBiases: boolean,
  ) {
    super()
    this.gate_up_proj = make(count, 2 * intermediateSize, hiddenSize)
    this.down_proj = make(count, hiddenSize, intermediateSize)
    this.gate_up_proj_bias = hasBiases ? make(count, 2 * intermediateSize) : undefined
    this.down_proj_bias = hasBiases ? make(count, hiddenSize) : undefined
  }
}

/** A router and its experts. */
export class SparseMoE extends Module {
  declare experts: Experts
  readonly #config: ExpertsConfig
  readonly #router: string
  readonly #activate: (gateUp: Tensor) => Tensor

  constructor(config: CausalLMConfig, make: MakeParameter, options: SparseMoEOptions = {}) {
    takes('o<experts:o hiddenSize:n>fo{router hasBiases activate}?', config, make, options)
    super()
    const { hiddenSize, hiddenAct } = config
    const experts = config.experts as ExpertsConfig
    const { router = 'gate', hasBiases = false } = options
    this.#config = experts
    this.#router = router
    this.#activate = options.activate ?? ((gateUp) => gatedActivation(...halves(gateUp), hiddenAct))
    adopt(this, {
      [router]: makeLinear(make, experts.count, hiddenSize, hasBiases),
      experts: new Experts(config, experts, make, hasBiases),
    })
  }

  /** (T, H) -> (T, H) */
  forward(x: Tensor): Tensor {
    takes('t', x)
    const logits = child<Linear>(this, this.#router).forward(x)
    const { ids, weights, all } = routeTokens(logits, this.#config)
    if (x.device.isHost) return combineExperts(this.#routed(x, hostArray(ids)), weights)
    if (x.shape[0] === 1) return combineExperts(this.#picked(x, ids), weights)
    return this.#mixed(x, all)
  }

  /** Each expert runs on the tokens that go to it: (perToken, T, H). */
  #routed(x: Tensor, ids: ArrayLike<number | bigint>): Tensor {
    const { count, perToken } = this.#config
    const tokens = x.shape[0] as number
    const places = Array.from({ length: count }, (): number[] => [])
    for (let i = 0; i < ids.length; i++) places[Number(ids[i])]?.push(i)
    const outputs = places.flatMap((own, expert) => {
      if (own.length === 0) return []
      const rows = index(
        x,
        own.map((i) => Math.floor(i / perToken)),
      )
      return [this.#expert(rows, this.experts, expert)]
    })
    // Place i is choice i % perToken of token i / perToken; outputs are in the order of experts.
    const order = new Int32Array(ids.length)
    places.flat().forEach((place, at) => (order[place] = at))
    const byChoice = Array.from(order, (_, i) => {
      const [choice, token] = [Math.floor(i / tokens), i % tokens]
      return order[token * perToken + choice] as number
    })
    return reshape(index(cat(outputs, 0), byChoice), [perToken, tokens, -1])
  }

  /** The chosen experts' weights, copied, for one token: (perToken, 1, H). */
  #picked(x: Tensor, ids: Tensor): Tensor {
    const chosen = view(ids, [ids.numel])
    const { gate_up_proj, down_proj, gate_up_proj_bias, down_proj_bias } = this.experts
    const pick = <T extends Tensor | undefined>(weight: T): Tensor | T =>
      weight ? pickExperts(weight, chosen) : weight
    const experts = {
      gate_up_proj: pickExperts(gate_up_proj, chosen),
      down_proj: pickExperts(down_proj, chosen),
      gate_up_proj_bias: pick(gate_up_proj_bias),
      down_proj_bias: pick(down_proj_bias),
    }
    const outputs = Array.from({ length: chosen.numel }, (_, i) => this.#expert(x, experts, i))
    return cat(
      outputs.map((output) => unsqueeze(output, 0)),
      0,
    )
  }

  /** All experts run on all tokens, where nobody but the device knows which go where: (T, H). */
  #mixed(x: Tensor, all: Tensor): Tensor {
    const { count } = this.#config
    let total: Tensor | undefined
    for (let first = 0; first < count; first += AT_ONCE) {
      const end = Math.min(first + AT_ONCE, count)
      const sum: Tensor = inScope(x.device, () => {
        const outputs = Array.from({ length: end - first }, (_, i) =>
          unsqueeze(this.#expert(x, this.experts, first + i), 0),
        )
        const own = combineExperts(cat(outputs, 0), slice(all, 1, first, end).contiguous())
        return total ? add(total, own) : own
      })
      if (total) freeTensor(total)
      total = sum
    }
    return total as Tensor
  }

  /** One expert's MLP: (rows, H) -> (rows, H). */
  #expert(x: Tensor, experts: Stacked, expert: number): Tensor {
    const of = (weight: Tensor): Tensor => select(weight, 0, expert)
    const bias = (own: Tensor | undefined): Tensor | undefined => own && of(own).contiguous()
    return inScope(x.device, () => {
      const gateUp = linear(x, of(experts.gate_up_proj), bias(experts.gate_up_proj_bias))
      const activated = this.#activate(gateUp)
      return linear(activated, of(experts.down_proj), bias(experts.down_proj_bias))
    })
  }
}

/** Experts whose outputs are held at once. */
const AT_ONCE = 8

type Stacked = Pick<Experts, 'gate_up_proj' | 'down_proj' | 'gate_up_proj_bias' | 'down_proj_bias'>

/** Some experts of stacked weights, by ids on their device: of quantized ones, of each part that has them all. */
function pickExperts(weight: Tensor, ids: Tensor): Tensor {
  if (!isTensorSubclass(weight)) return pickRows(weight as DenseTensor, ids)
  const count = weight.shape[0] as number
  const { tensors, attributes } = weight.flatten()
  const picked = Object.entries(tensors).map(([name, part]) => {
    const isByExpert = part.ndim > 1 && part.shape[0] === count
    return [name, isByExpert ? pickRows(part, ids) : part] as const
  })
  const shape = 'shape' in attributes ? { shape: [ids.numel, ...weight.shape.slice(1)] } : {}
  const type = weight.constructor as unknown as TensorSubclassType
  return new type({ ...attributes, ...shape, ...Object.fromEntries(picked) } as never)
}

function pickRows(part: DenseTensor, ids: Tensor): DenseTensor {
  const [count = 0, ...rest] = part.shape
  const rows = embedding(ids, view(part, [count, -1]))
  return view(rows, [ids.numel, ...rest]) as DenseTensor
}

/** @file What the tensors of a checkpoint are to their model, and why those that are no weights stay. */

import type { Refusal } from '../refusal.ts'

/** What a tensor is to its model. */
export type TensorRole =
  /** The weight of a linear layer, (out, in). */
  | 'linear'
  /** The weight of a linear layer that is stored (in, out), as transformers' `Conv1D` does. */
  | 'transposed linear'
  | 'embedding'
  /** The last layer, often tied to the embedding: vocabulary or classes. */
  | 'output head'
  /** Linear layers of all experts in one tensor, (E, out, in). */
  | 'experts'
  /** The same, (E, in, out). */
  | 'transposed experts'
  /** The same, where nothing says which of the two. */
  | 'experts of unknown layout'
  /** Chooses the experts of a token. */
  | 'router'
  | 'norm'
  | 'convolution'
  /** A low-rank pair of LoRA and the like. */
  | 'adapter'
  /** Of a module that computes with its weight itself, such as torch's MultiheadAttention. */
  | 'part of a module'
  /** None of these. */
  | 'other'

/** A tensor's role, and what decided it. */
export interface RoleDecision {
  readonly role: TensorRole
  /** `family gpt2` for a table of a family, `name rule` or `shape rule` otherwise. */
  readonly rule: string
  /** Why the tensor is not quantized, as a clause for a report; undefined where it is. */
  readonly reason: string | undefined
  /** Whether it stays even where a key of an FqnToConfig names it; false unless given. */
  readonly isFinal?: boolean
}

/** Of a tensor, what its role depends on. */
export interface ShapedTensor {
  readonly shape: readonly number[]
  readonly dtype: string
}

/** Gives the role of a tensor by its full name. */
export type TensorRoles = (name: string, tensor: ShapedTensor) => RoleDecision

const WRONG_AXIS = 'and scales go with rows of (out, in)'

/** Why each role stays as it is; undefined for those that are quantized. */
export const KEPT_REASONS: Readonly<Record<Exclude<TensorRole, 'other'>, string | undefined>> = {
  linear: undefined,
  experts: undefined,
  'transposed linear': `it is a linear layer stored (in, out), ${WRONG_AXIS}`,
  'transposed experts': `it holds experts stored (E, in, out), ${WRONG_AXIS}`,
  'experts of unknown layout':
    'it holds experts, and nothing says whether (E, out, in) or (E, in, out)',
  embedding: 'it is an embedding',
  'output head': 'it is the output head',
  router: 'it is a router',
  norm: 'it is a norm',
  convolution: 'it is a convolution',
  adapter: 'it belongs to an adapter',
  'part of a module': 'its module computes with it in a way of its own',
}

/** Whether quantizing along the last axis would be wrong, so that no config may. */
export function isTransposed(role: TensorRole): boolean {
  return role === 'transposed linear' || role === 'transposed experts'
}

/** Why tensors are left alone where no key of a config names them. */
export function refusals(
  roles: TensorRoles,
): (name: string, tensor: ShapedTensor) => Refusal | undefined {
  return (name, tensor) => {
    const { role, reason, isFinal = isTransposed(role) } = roles(name, tensor)
    return reason === undefined ? undefined : { reason, isFinal }
  }
}

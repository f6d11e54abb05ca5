/** @file The form of a table that says what the tensors of a family of models are. */

import type { TensorRole } from './role.ts'

/** Patterns by role; the first role with a pattern that matches decides. */
export type FamilyRoles = Readonly<Partial<Record<TensorRole, readonly string[]>>>

/** What the tensors of a family of models are, by the names in transformers' checkpoints. */
export interface ModelFamily {
  /** `model_type` of its configs; classes in `architectures` are compared without their endings. */
  readonly modelTypes: readonly string[]
  /** Regular expressions for the last parts of a name without `.weight`, such as `attn\.c_attn`. */
  readonly roles: FamilyRoles
}

/** A list of words, so that a table of families stays short. */
export function names(list: string): string[] {
  return list.trim().split(/\s+/)
}

/** @file Whether a tensor of a checkpoint is a weight to quantize, where nothing is known of its model. */

import { takes } from '@ao/base-tensor'
import type { Tensor } from '@ao/base-tensor'
import { tensorRoles } from './roles/tensor-roles.ts'

const rolesByName = /* @__PURE__ */ tensorRoles()

/**
 * Whether a tensor of a checkpoint is a linear layer's weight by its name and shape: two dimensions,
 * floating, named `*.weight`, and no embedding, router, norm or output head (which Hugging Face's torchao
 * integration leaves as it is, too), and not stored (in, out). {@link tensorRoles} knows more.
 */
export function isLinearWeightName(name: string, tensor: Tensor): boolean {
  takes('xt', name, tensor)
  return rolesByName(name, tensor).reason === undefined
}

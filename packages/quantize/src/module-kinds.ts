/** @file What a module is, by what it has. */

import type { Tensor } from '@ao/base-tensor'
import type { Module } from '@ao/nn'

/** A module with the properties of a linear layer. */
export interface LinearLike {
  readonly weight?: Tensor
  readonly inFeatures?: number
  readonly outFeatures?: number
}

/** Whether a module has a weight (outFeatures, inFeatures). */
export function isLinearShaped(module: Module): boolean {
  const { weight, inFeatures, outFeatures } = module as LinearLike
  return weight?.ndim === 2 && weight.shape[0] === outFeatures && weight.shape[1] === inFeatures
}

/** Why a module's weight stays that is no linear layer's. */
export const NOT_LINEAR = 'its module is not a linear layer'

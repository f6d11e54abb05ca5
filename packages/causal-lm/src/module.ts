/** @file What the modules of decoders share. */

import type { Tensor } from '@ao/base-tensor'
import { Linear, type Module } from '@ao/nn'
import type { KVCache, RotaryTable } from '@ao/text-generation'

/** Makes a parameter of a new module. */
export type MakeParameter = (...shape: number[]) => Tensor

/** What a layer needs besides its input: where the tokens stand and what came before them. */
export interface Step {
  readonly rotary: RotaryTable
  readonly cache: KVCache
  readonly layer: number
}

/** A module that makes what is added to the residual stream: (T, hiddenSize) -> (T, hiddenSize). */
export interface BranchModule extends Module {
  forward(input: Tensor, step: Step): Tensor
}

/** The own module of that name: families name them as their checkpoints do. */
export function child<T = Linear>(parent: Module, name: string): T {
  return (parent as unknown as Readonly<Record<string, T>>)[name] as T
}

/** Gives a new module its children and parameters. */
export function adopt(parent: Module, children: Readonly<Record<string, unknown>>): void {
  Object.assign(parent, children)
}

/** A Linear of new parameters. */
export function makeLinear(
  make: MakeParameter,
  out: number,
  inputs: number,
  bias: boolean,
): Linear {
  return new Linear(make(out, inputs), bias ? make(out) : undefined)
}

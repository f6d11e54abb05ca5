/** @file 1x1 convolutions as linear layers, which quantize like any other. */

import { asDense, ShapeError, ValueError, type Tensor, takes } from '@ao/base-tensor'
import type { Conv2d } from './conv2d.ts'
import { Linear } from './layers.ts'
import { Module } from './module.ts'

const PACKAGE = '@ao/nn'

/** A linear layer over the channels of images: (B, C, H, W) -> (B, O, H, W). */
export class ChannelsLastLinear extends Module {
  readonly mod: Linear

  constructor(mod: Linear) {
    takes('o<forward:f extraRepr:f>', mod)
    super()
    this.mod = mod
  }

  forward(input: Tensor): Tensor {
    takes('t', input)
    const channelsLast = asDense(input).transpose(1, 2).transpose(2, 3)
    const output = asDense(this.mod.forward(channelsLast))
    return output.transpose(2, 3).transpose(1, 2)
  }
}

/**
 * Replaces convolutions below `model` by linear layers that compute the same. torchao's
 * `swap_conv2d_1x1_to_linear`.
 *
 * A 1x1 convolution with stride 1, no padding and one group is replaced. The linear layer is the child
 * `mod` of what stands in its place, so `conv.weight` becomes `conv.mod.weight`, a view of it.
 *
 * @param filter - which convolutions to replace; those that can be unless given
 * @returns the names of what was replaced
 * @throws {@link ShapeError} when `filter` picks a convolution that is no linear layer, and
 * {@link ValueError} when `model` itself is a convolution to replace; nothing is changed then
 */
export function swapConv2d1x1ToLinear(
  model: Module,
  filter: (conv: Conv2d, fqn: string) => boolean = isPointwise,
): string[] {
  takes('o<namedChildren:f namedModules:f>f?', model, filter)
  const names: string[] = []
  const replacements = new Map<Module, Module>()
  for (const [name, module] of model.namedModules()) {
    if (!isConv2d(module) || !filter(module, name)) continue
    checkPointwise(name, module)
    names.push(name)
    replacements.set(module, toLinear(module))
  }
  for (const [, parent] of [...model.namedModules()]) {
    for (const [name, child] of parent.namedChildren()) {
      const replacement = replacements.get(child)
      if (replacement) parent.setSubmodule(name, replacement)
    }
  }
  return names
}

// By its fields, so that a Conv2d from another copy of this package counts.
function isConv2d(module: Module): module is Conv2d {
  const conv = module as Partial<Conv2d>
  return conv.weight?.ndim === 4 && Array.isArray(conv.stride) && conv.groups !== undefined
}

function isPointwise(conv: Conv2d): boolean {
  return (
    conv.weight.shape.slice(2).join() === '1,1' &&
    conv.stride.join() === '1,1' &&
    conv.padding.join() === '0,0' &&
    conv.groups === 1
  )
}

function checkPointwise(name: string, conv: Conv2d): void {
  if (name === '') {
    throw new ValueError({
      package: PACKAGE,
      expected: 'a model with convolutions below it',
      got: 'a convolution itself, which cannot replace itself',
      cure: 'Wrap it: new Sequential(conv).',
    })
  }
  if (isPointwise(conv)) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `${name} to have a 1x1 kernel, stride 1, no padding and one group`,
    got: conv.extraRepr(),
    cure: 'Leave it out in the filter: only such a convolution is a linear layer.',
  })
}

function toLinear(conv: Conv2d): ChannelsLastLinear {
  const weight = conv.weight.squeeze(3).squeeze(2)
  return new ChannelsLastLinear(new Linear(weight, conv.bias))
}

/** @file Convolution over images, as a matrix product: each output pixel's patch becomes a row. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  matmulNT,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { Module } from './module.ts'

const PACKAGE = '@ao/nn'

/** One number for both directions, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number]

/** How a kernel moves over its image. */
export interface Conv2dOptions {
  /** 1 unless given. */
  readonly stride?: Pair
  /** Zeros around the image, on each side; 0 unless given. */
  readonly padding?: Pair
  /** Distance between the pixels that one kernel element and the next see; 1 unless given. */
  readonly dilation?: Pair
  /** Channels are cut in this many groups that do not see each other; 1 unless given. */
  readonly groups?: number
}

/**
 * 2-D convolution (cross-correlation, as PyTorch's `conv2d`), in the input's dtype.
 *
 * `input` (B, C, H, W), `weight` (O, C / groups, KH, KW), `bias` (O) -> (B, O, OH, OW)
 */
export const conv2d: Op<
  [input: Tensor, weight: Tensor, bias?: Tensor | undefined, options?: Conv2dOptions],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'conv2d',
  takes: 'ttt?o{stride padding dilation groups}?',
  budget: { nmse: 1e-6 },
  reference: (
    input: Tensor,
    weight: Tensor,
    bias?: Tensor,
    options: Conv2dOptions = {},
  ): Tensor => {
    const size = convSizes(input, weight, options)
    const { batch, groups, outputs, pixels, patch } = size
    const image = hostFloat32(input)
    const kernel = hostFloat32(weight)
    const perGroup = outputs / groups
    const patches = new Float32Array(pixels * patch)
    const out = new Float32Array(batch * outputs * pixels)
    for (let part = 0; part < batch * groups; part++) {
      const group = part % groups
      gatherPatches(image, part * size.channels, size, patches)
      matmulNT(
        kernel.subarray(group * perGroup * patch, (group + 1) * perGroup * patch),
        patches,
        out.subarray(part * perGroup * pixels, (part + 1) * perGroup * pixels),
        perGroup,
        pixels,
        patch,
      )
    }
    if (bias) addChannelBias(out, hostFloat32(bias), pixels)
    return fromFloat32(out, size.outShape, input.dtype)
  },
  meta: (input: Tensor, weight: Tensor, _bias?: Tensor, options: Conv2dOptions = {}): Tensor =>
    zeros(convSizes(input, weight, options).outShape, input.dtype, input.device),
})

interface ConvSizes {
  readonly batch: number
  readonly groups: number
  /** Input channels of one group. */
  readonly channels: number
  readonly image: readonly [number, number]
  readonly kernel: readonly [number, number]
  readonly stride: readonly [number, number]
  readonly padding: readonly [number, number]
  readonly dilation: readonly [number, number]
  /** Output channels, of all groups. */
  readonly outputs: number
  readonly out: readonly [number, number]
  /** Output pixels: out[0] * out[1]. */
  readonly pixels: number
  /** Elements that one output pixel of a group sees: channels * kernel[0] * kernel[1]. */
  readonly patch: number
  readonly outShape: readonly number[]
}

function convSizes(input: Tensor, weight: Tensor, options: Conv2dOptions): ConvSizes {
  const groups = options.groups ?? 1
  const [batch, allChannels, ...image] = input.shape as readonly [number, number, number, number]
  const [outputs, channels, ...kernel] = weight.shape as readonly [number, number, number, number]
  const fits = input.ndim === 4 && weight.ndim === 4 && allChannels === channels * groups
  if (!fits || outputs % groups !== 0) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `an input [B, C, H, W] and a weight [O, C / groups, KH, KW] for groups=${groups}`,
      got: `[${input.shape.join(', ')}] and [${weight.shape.join(', ')}]`,
    })
  }
  const stride = toPair(options.stride ?? 1)
  const padding = toPair(options.padding ?? 0)
  const dilation = toPair(options.dilation ?? 1)
  const outSize = (d: 0 | 1): number =>
    Math.floor((image[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1
  const out = [outSize(0), outSize(1)] as const
  if (!(out[0] > 0 && out[1] > 0)) {
    throw new ShapeError({
      package: PACKAGE,
      expected: 'an image of at least the size of the kernel',
      got: `[${image.join(', ')}] for a kernel of [${kernel.join(', ')}]`,
    })
  }
  return {
    ...{ batch, groups, channels, image, kernel, stride, padding, dilation, outputs, out },
    pixels: out[0] * out[1],
    patch: channels * kernel[0] * kernel[1],
    outShape: [batch, outputs, ...out],
  }
}

// Fills `patches` (pixels, patch) from the channels of one group of one image.
function gatherPatches(
  image: Float32Array,
  firstChannel: number,
  size: ConvSizes,
  patches: Float32Array,
): void {
  const [height, width] = size.image
  const [kernelHeight, kernelWidth] = size.kernel
  let at = 0
  for (let outY = 0; outY < size.out[0]; outY++) {
    for (let outX = 0; outX < size.out[1]; outX++) {
      for (let channel = 0; channel < size.channels; channel++) {
        const plane = (firstChannel + channel) * height * width
        for (let ky = 0; ky < kernelHeight; ky++) {
          const y = outY * size.stride[0] - size.padding[0] + ky * size.dilation[0]
          for (let kx = 0; kx < kernelWidth; kx++) {
            const x = outX * size.stride[1] - size.padding[1] + kx * size.dilation[1]
            const inside = y >= 0 && y < height && x >= 0 && x < width
            patches[at++] = inside ? (image[plane + y * width + x] as number) : 0
          }
        }
      }
    }
  }
}

// `out` (B, O, pixels), `bias` (O).
function addChannelBias(out: Float32Array, bias: Float32Array, pixels: number): void {
  for (let i = 0, plane = 0; i < out.length; plane++) {
    const value = bias[plane % bias.length] as number
    for (const end = i + pixels; i < end; i++) out[i] = (out[i] as number) + value
  }
}

function toPair(value: Pair): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value
}

/** See {@link conv2d}. PyTorch's `nn.Conv2d`. */
export class Conv2d extends Module {
  /** (O, C / groups, KH, KW) */
  weight: Tensor
  /** (O) */
  bias: Tensor | undefined
  readonly stride: readonly [number, number]
  readonly padding: readonly [number, number]
  readonly dilation: readonly [number, number]
  readonly groups: number

  constructor(weight: Tensor, bias?: Tensor, options: Conv2dOptions = {}) {
    takes('tt?o{stride padding dilation groups}?', weight, bias, options)
    super()
    if (weight.ndim !== 4) {
      throw new ShapeError({
        package: PACKAGE,
        expected: 'a weight of 4 dimensions for Conv2d',
        got: `[${weight.shape.join(', ')}]`,
      })
    }
    this.weight = weight
    this.bias = bias
    this.stride = toPair(options.stride ?? 1)
    this.padding = toPair(options.padding ?? 0)
    this.dilation = toPair(options.dilation ?? 1)
    this.groups = options.groups ?? 1
  }

  forward(input: Tensor): Tensor {
    takes('t', input)
    const { stride, padding, dilation, groups } = this
    return conv2d(input, this.weight, this.bias, { stride, padding, dilation, groups })
  }

  override extraRepr(): string {
    const [outputs, channels, ...kernel] = this.weight.shape as readonly number[]
    const pairs = { kernel, stride: this.stride, padding: this.padding, dilation: this.dilation }
    const parts = Object.entries(pairs).map(([name, pair]) => `${name}=[${pair.join(', ')}]`)
    const ends = `in=${(channels as number) * this.groups}, out=${outputs}`
    return [ends, ...parts, `groups=${this.groups}`, `bias=${this.bias !== undefined}`].join(', ')
  }
}

/**
 * @file Codes moved into what a target can hold. Each group is moved exactly if there is a way, and
 * quantized anew if there is none.
 */

import { roundHalfToEven, roundToFloat16, ValueError } from '@ao/base-tensor'
import { PACKAGE } from './errors.ts'
import type { Groups } from './groups.ts'

/** Codes that a target has. */
export interface CodeRange {
  readonly min: number
  readonly max: number
}

/**
 * The groups with float16 scales and `center` as every zero point.
 *
 * A group of a whole zero point z is exact if its codes, moved by `center - z`, stay in the range. If they
 * do not, they may do so upside down, with the sign of the scale changed:
 *
 *     (code - z) * s  =  (q - center) * s     q = code - z + center
 *                     =  (q - center) * -s    q = z - code + center
 *
 * So codes of -8..7 fit where the target's values are -7..8. Other groups are quantized anew: their value
 * of largest magnitude takes the end of the range that is farther from the center, as in llama.cpp.
 */
export function fitAround(groups: Groups, range: CodeRange, center: number): Groups {
  const out = copyOf(groups)
  out.zeroPoint.fill(center)
  const offsets = { min: range.min - center, max: range.max - center }
  for (let g = 0; g < groups.scale.length; g++) {
    const zero = groups.zeroPoint[g] as number
    const { min, max } = codesOf(groups, g)
    if (Number.isInteger(zero) && isWithin(min - zero, max - zero, offsets)) {
      moveGroup(groups, g, 1, out)
    } else if (Number.isInteger(zero) && isWithin(zero - max, zero - min, offsets)) {
      moveGroup(groups, g, -1, out)
    } else {
      requantizeAround(groups, g, offsets, out)
    }
  }
  return out
}

/**
 * The groups with whole zero points within the range: rounded where they lie in it. Groups whose zero
 * point lies outside are quantized anew, over a range of values that includes 0.
 */
export function fitWholeZeroPoints(groups: Groups, range: CodeRange): Groups {
  const out = copyOf(groups)
  for (let g = 0; g < groups.scale.length; g++) {
    const zero = roundHalfToEven(groups.zeroPoint[g] as number)
    if (isWithin(zero, zero, range)) out.zeroPoint[g] = zero
    else requantizeFromZero(groups, g, range, out)
  }
  return out
}

/** The groups with their scales rounded to float16. */
export function withFloat16Scales(groups: Groups): Groups {
  return { ...groups, scale: groups.scale.map(toFloat16Scale) }
}

/** Codes that stand for the same values, or for those of the opposite sign when `sign` is -1. */
function moveGroup(groups: Groups, g: number, sign: 1 | -1, out: Groups): void {
  const zero = groups.zeroPoint[g] as number
  const center = out.zeroPoint[g] as number
  const { start, end } = spanOf(groups, g)
  for (let i = start; i < end; i++) {
    out.codes[i] = sign * ((groups.codes[i] as number) - zero) + center
  }
  out.scale[g] = toFloat16Scale(sign * (groups.scale[g] as number))
}

function requantizeAround(groups: Groups, g: number, offsets: CodeRange, out: Groups): void {
  const center = out.zeroPoint[g] as number
  const { min, max } = valuesOf(groups, g)
  const farthest = max >= -min ? max : min
  const end = offsets.max >= -offsets.min ? offsets.max : offsets.min
  const scale = toFloat16Scale(farthest / end)
  const bounds = { min: offsets.min + center, max: offsets.max + center }
  out.scale[g] = scale
  writeCodes(groups, g, scale, center, bounds, out)
}

function requantizeFromZero(groups: Groups, g: number, range: CodeRange, out: Groups): void {
  const { min, max } = valuesOf(groups, g)
  const low = Math.min(min, 0)
  const scale = Math.fround((Math.max(max, 0) - low) / (range.max - range.min))
  const zero = scale === 0 ? range.min : roundHalfToEven(-low / scale) + range.min
  out.scale[g] = scale
  out.zeroPoint[g] = zero
  writeCodes(groups, g, scale, zero, range, out)
}

/** The codes nearest to a group's values. */
function writeCodes(
  groups: Groups,
  g: number,
  scale: number,
  zero: number,
  { min, max }: CodeRange,
  out: Groups,
): void {
  const factor = scale === 0 ? 0 : (groups.scale[g] as number) / scale
  const oldZero = groups.zeroPoint[g] as number
  const { start, end } = spanOf(groups, g)
  for (let i = start; i < end; i++) {
    const code = roundHalfToEven(((groups.codes[i] as number) - oldZero) * factor) + zero
    out.codes[i] = code < min ? min : code > max ? max : code
  }
}

/** The least and greatest code of a group. */
function codesOf(groups: Groups, g: number): CodeRange {
  let min = Infinity
  let max = -Infinity
  const { start, end } = spanOf(groups, g)
  for (let i = start; i < end; i++) {
    const code = groups.codes[i] as number
    if (code < min) min = code
    if (code > max) max = code
  }
  return { min, max }
}

/** The least and greatest value of a group. */
function valuesOf(groups: Groups, g: number): CodeRange {
  const { min, max } = codesOf(groups, g)
  const scale = groups.scale[g] as number
  const zero = groups.zeroPoint[g] as number
  const a = (min - zero) * scale
  const b = (max - zero) * scale
  return { min: Math.min(a, b), max: Math.max(a, b) }
}

function spanOf({ groupSize }: Groups, g: number): { start: number; end: number } {
  return { start: g * groupSize, end: (g + 1) * groupSize }
}

function isWithin(low: number, high: number, range: CodeRange): boolean {
  return low >= range.min && high <= range.max
}

function toFloat16Scale(scale: number): number {
  const rounded = roundToFloat16(scale)
  if (Number.isFinite(rounded)) return rounded
  throw new ValueError({
    package: PACKAGE,
    expected: 'scales that float16 can hold: up to 65504',
    got: String(scale),
  })
}

function copyOf(groups: Groups): Groups {
  return {
    ...groups,
    codes: groups.codes.slice(),
    scale: groups.scale.slice(),
    zeroPoint: groups.zeroPoint.slice(),
  }
}

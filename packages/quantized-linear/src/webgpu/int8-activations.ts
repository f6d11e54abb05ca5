/** @file Inputs of products as int8 codes. */

import {
  errorsOf,
  itemSize,
  numelOf,
  promote,
  ShapeError,
  ValueError,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { grid, wgsl, type GPU } from '@ao/kernels-webgpu'
import { chooseQparamsAffine } from '@ao/quant-primitives'
import {
  elementDefines,
  finiteDefines,
  qparamsWgsl,
  roundingDefines,
  ruleDefines,
  ruleParams,
} from '@ao/quant-primitives/webgpu'
import type { MappingType, QuantBounds } from '@ao/quant-primitives'
import type { Int8ActivationQparams } from '../coded-linear-ops.ts'
import type { Int8Input } from './int8-linear.ts'
import { rowRanges } from './row-ranges.ts'
import source from './wgsl/int8-activations.wgsl'

/** How an input is quantized. */
export interface Int8Activation {
  readonly granularity: { readonly type: string }
  readonly mappingType: MappingType
  /** Whether codes are -64..63. */
  readonly reduceRange?: boolean
  /** Codes, in place of that. */
  readonly bounds?: QuantBounds
  /** What scales of rows are; float32 unless given. */
  readonly scaleDtype?: FloatDType
  /** The smallest scale of a row; float32's eps unless given. */
  readonly eps?: number
}

const program = /* @__PURE__ */ wgsl('int8Activations', qparamsWgsl + source)

/** Threads of the workgroup of a token: one for eight elements, between these. */
const [FEWEST_THREADS, MOST_THREADS] = [256, 1024]

/** Times eight elements that a thread keeps in registers. */
const MOST_ROUNDS = 8

/** As in `quantize.ts`: float32's eps, for all dtypes. */
const SMALLEST_SCALE = 2 ** -23

/**
 * Quantizes each row of `input` (..., K).
 *
 * @param known - scales and zero points; chosen from the values where undefined
 * @throws {@link ShapeError} for known scales of another number of rows, {@link ValueError} where
 * asymmetric mapping lacks zero points
 */
export function quantizeInput(
  gpu: GPU,
  input: Tensor,
  activation: Int8Activation,
  known: Int8ActivationQparams | undefined,
  packageName: string,
): Int8Input {
  const k = input.shape.at(-1) as number
  const count = numelOf(input.shape.slice(0, -1))
  const x = gpu.dense(input)
  const codes = gpu.empty([count, Math.ceil(k / 16) * 4], 'int32')
  const qparams = gpu.empty([count, 4], 'float32')
  const isPerTensor = activation.granularity.type === 'PerTensor'
  const [scale, zeroPoint] = known ?? (isPerTensor ? chosenForAll(x, activation) : [])
  const expected = isPerTensor || known?.[0].numel === 1 ? 1 : count
  if (known) checkKnown(known, activation, expected, packageName)
  const [scales, zeros] = [scale && gpu.dense(scale), zeroPoint && gpu.dense(zeroPoint)]
  const scaleDtype = (scale?.dtype ?? activation.scaleDtype ?? 'float32') as FloatDType
  let threads = FEWEST_THREADS
  const most = Math.min(MOST_THREADS, gpu.capabilities.maxInvocations)
  while (threads < k / 8 && 2 * threads <= most) threads *= 2
  const rounds = Math.ceil(k / 8 / threads)
  const keepsElements = k % 8 === 0 && rounds <= MOST_ROUNDS
  const defines = {
    THREADS: threads,
    ROUNDS: keepsElements && rounds,
    SUBGROUPS: gpu.capabilities.subgroups,
    KNOWN: scales !== undefined,
    ...elementDefines('IN', x),
    ...(scales && elementDefines('SCALE', scales)),
    ...(zeros && elementDefines('ZERO', zeros)),
    ...ruleDefines(activation.mappingType, x.dtype as FloatDType),
    ...finiteDefines(boundsOf(activation), x.dtype as FloatDType),
    ...roundingDefines({
      SCALE: scaleDtype,
      PRODUCT: promote(x.dtype, scaleDtype) as FloatDType,
    }),
  }
  const rowBytes = k * itemSize(x.dtype)
  for (const { first, rows } of rowRanges(gpu, count, rowBytes)) {
    gpu.dispatch(program(defines), {
      bind: [
        { tensor: x, offset: first * rowBytes, size: rows * rowBytes },
        codes,
        qparams,
        ...(scales ? [scales, zeros ?? scales] : []),
      ],
      params: [
        ...ruleParams(boundsOf(activation), activation.eps ?? SMALLEST_SCALE),
        ...[first, rows, k, (scales?.numel ?? 1) > 1 ? 1 : 0],
      ],
      workgroups: grid(rows),
    })
  }
  return { codes, tokens: qparams, shape: input.shape }
}

function boundsOf({ reduceRange, bounds }: Int8Activation): QuantBounds {
  if (bounds) return bounds
  return reduceRange ? { quantMin: -64, quantMax: 63 } : { quantMin: -128, quantMax: 127 }
}

/** One scale and zero point for all tokens. */
function chosenForAll(x: DenseTensor, activation: Int8Activation): [Tensor, Tensor] {
  const { scale, zeroPoint } = chooseQparamsAffine(x, activation.mappingType, x.shape, 'int8', {
    ...boundsOf(activation),
    eps: SMALLEST_SCALE,
    scaleDtype: 'float32',
    zeroPointDtype: 'int8',
    finite: true,
  })
  return [scale, zeroPoint]
}

function checkKnown(
  [scale, zeroPoint]: Int8ActivationQparams,
  { mappingType }: Int8Activation,
  count: number,
  packageName: string,
): void {
  const fail = errorsOf(packageName)
  if (scale.numel !== count) throw fail(ShapeError, `a scale of ${count} elements`, scale.shape)
  if (mappingType === 'ASYMMETRIC' && !zeroPoint) {
    throw fail(ValueError, 'a zero point beside the scale for ASYMMETRIC mapping', 'none')
  }
}

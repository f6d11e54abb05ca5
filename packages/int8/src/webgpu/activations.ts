/** @file Codes of activations, on their way to a product. */

import {
  itemSize,
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
import { fail } from '../errors.ts'
import type { Int8ActivationQparams } from '../linear-ops.ts'
import type { QuantizeTensorToInt8Kwargs } from '../quantize-kwargs.ts'
import source from './activations.wgsl'
import { tokenCount, type Tokens } from './products.ts'
import { rangeOf, rowParts } from './weight.ts'

const program = /* @__PURE__ */ wgsl('int8Activations', qparamsWgsl + source)

/** Of the workgroup of a token. */
const THREADS = 256

/** As in `quantize.ts`: float32's eps, for all dtypes. */
const SMALLEST_SCALE = 2 ** -23

/**
 * Quantizes each token.
 *
 * @param known - scales and zero points; chosen from the values where undefined
 */
export function quantizeTokens(
  gpu: GPU,
  input: Tensor,
  activation: QuantizeTensorToInt8Kwargs,
  known: Int8ActivationQparams | undefined,
): Tokens {
  const count = tokenCount(input)
  const k = input.shape.at(-1) as number
  const x = gpu.dense(input)
  const codes = gpu.empty([count, Math.ceil(k / 16) * 4], 'int32')
  const qparams = gpu.empty([count, 4], 'float32')
  const isPerTensor = activation.granularity.type === 'PerTensor'
  const [scale, zeroPoint] = known ?? (isPerTensor ? chosenForAll(x, activation) : [])
  if (known) checkKnown(known, activation, isPerTensor || known[0].numel === 1 ? 1 : count)
  const [scales, zeros] = [scale && gpu.dense(scale), zeroPoint && gpu.dense(zeroPoint)]
  const scaleDtype = (scale?.dtype ?? 'float32') as FloatDType
  const defines = {
    THREADS,
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
  for (const part of rowParts(gpu, count, rowBytes)) {
    gpu.dispatch(program(defines), {
      bind: [
        rangeOf(x, part, rowBytes),
        codes,
        qparams,
        ...(scales ? [scales, zeros ?? scales] : []),
      ],
      params: [
        ...ruleParams(boundsOf(activation), SMALLEST_SCALE),
        ...[part.first, part.count, k, (scales?.numel ?? 1) > 1 ? 1 : 0],
      ],
      workgroups: grid(part.count),
    })
  }
  return { x: codes, qparams, count }
}

function boundsOf({ reduceRange }: QuantizeTensorToInt8Kwargs): {
  quantMin: number
  quantMax: number
} {
  return reduceRange ? { quantMin: -64, quantMax: 63 } : { quantMin: -128, quantMax: 127 }
}

/** One scale and zero point for all tokens. */
function chosenForAll(x: DenseTensor, activation: QuantizeTensorToInt8Kwargs): [Tensor, Tensor] {
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
  { mappingType }: QuantizeTensorToInt8Kwargs,
  count: number,
): void {
  if (scale.numel !== count) throw fail(ShapeError, `a scale of ${count} elements`, scale.shape)
  if (mappingType === 'ASYMMETRIC' && !zeroPoint) {
    throw fail(ValueError, 'a zero point beside the scale for ASYMMETRIC mapping', 'none')
  }
}

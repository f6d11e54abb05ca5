/** @file PrototypeFloat8Tensor: a float8 weight with a measured scale of its inputs. */

import {
  cast,
  checkDType,
  optionalCodec,
  ShapeError,
  takes,
  ValueError,
  type DenseTensor,
  type JsonCodec,
  type OpImplementation,
  type Tensor,
} from '@ao/base-tensor'
import { dequantizeAffineFloat8, quantizeAffineFloat8 } from '@ao/quant-primitives'
import { checkFloat, tensorsOn, weightOpTable } from '@ao/quantized-linear'
import { fail, PACKAGE } from './errors.ts'
import { float8KwargsCodec, type QuantizeTensorToFloat8Kwargs } from './kwargs.ts'
import { float8Views, type StoredFloat8Fields } from './layout.ts'
import {
  Float8Tensor,
  float8Fields,
  linearOfFloat8,
  weightLinear,
  type Float8FromHpOptions,
} from './tensor.ts'

/** The inner tensors and attributes of a {@link PrototypeFloat8Tensor}. */
export interface StaticFloat8Fields extends StoredFloat8Fields {
  /** The scale of inputs, float32, of one element. */
  readonly actQuantScale?: DenseTensor | undefined
  /** The scale by which outputs are rounded to float8, float32, of one element; left out, they are not. */
  readonly outputActQuantScale?: DenseTensor | undefined
  /** How outputs are rounded. */
  readonly outputActQuantKwargs?: QuantizeTensorToFloat8Kwargs | undefined
}

/** How {@link PrototypeFloat8Tensor.fromHp} quantizes. */
export type StaticFloat8FromHpOptions = Float8FromHpOptions &
  Pick<StaticFloat8Fields, 'actQuantScale' | 'outputActQuantScale' | 'outputActQuantKwargs'>

/** A float8 weight whose inputs, and outputs, have scales that are known; torchao's `PrototypeFloat8Tensor`. */
export class PrototypeFloat8Tensor extends Float8Tensor {
  static override readonly formatName: string = 'PrototypeFloat8Tensor'
  static override readonly optionalTensorDataNames: readonly string[] = [
    'actQuantScale',
    'outputActQuantScale',
  ]
  static override readonly optionalTensorAttributeNames: readonly string[] = [
    ...Float8Tensor.optionalTensorAttributeNames,
    'outputActQuantKwargs',
  ]
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    ...Float8Tensor.attributeCodecs,
    outputActQuantKwargs: /* @__PURE__ */ optionalCodec(float8KwargsCodec),
  }
  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => PrototypeFloat8Tensor,
    views: float8Views,
    linear: staticLinear,
  })

  declare readonly actQuantScale: DenseTensor | undefined
  declare readonly outputActQuantScale: DenseTensor | undefined
  declare readonly outputActQuantKwargs: QuantizeTensorToFloat8Kwargs | undefined

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: StaticFloat8Fields) {
    takes('o<qdata:t scale:t>', fields)
    checkScale('actQuantScale', fields.actQuantScale, fields.actQuantKwargs)
    checkScale('outputActQuantScale', fields.outputActQuantScale, fields.outputActQuantKwargs)
    super(fields)
  }

  /** Quantizes a dense weight, as {@link Float8Tensor.fromHp}. */
  static override fromHp(
    weight: Tensor,
    options: StaticFloat8FromHpOptions = {},
  ): PrototypeFloat8Tensor {
    takes('to', weight, options)
    const { actQuantScale, outputActQuantScale, outputActQuantKwargs } = options
    const scales = tensorsOn(weight.device, { actQuantScale, outputActQuantScale })
    const fields = { ...float8Fields(weight, options), ...scales, outputActQuantKwargs }
    const result = new PrototypeFloat8Tensor(fields)
    return options.allowNonFinite ? result : result.requireFinite()
  }
}

function checkScale(
  name: string,
  scale: DenseTensor | undefined,
  kwargs: QuantizeTensorToFloat8Kwargs | undefined,
): void {
  if (!scale) return
  checkDType(name, scale, 'float32', PACKAGE)
  if (scale.numel !== 1) throw fail(ShapeError, `${name} of one element`, scale.shape)
  if (!kwargs) throw fail(ValueError, `how to quantize beside ${name}`, 'none')
}

function staticLinear(x: Tensor, weight: PrototypeFloat8Tensor, bias?: Tensor): Tensor {
  const dtype = checkFloat(x)
  const { actQuantKwargs, actQuantScale, outputActQuantKwargs, outputActQuantScale } = weight
  const y =
    actQuantScale && actQuantKwargs
      ? weightLinear(rounded(x, actQuantScale, actQuantKwargs), weight, bias)
      : linearOfFloat8(x, weight, bias)
  const isRounded = outputActQuantScale && outputActQuantKwargs
  // The output is one of the input's dtype before it is rounded to float8, and after.
  const out = cast(y, dtype)
  return isRounded ? cast(rounded(out, outputActQuantScale, outputActQuantKwargs), dtype) : out
}

/** What float8 leaves of `x` by a known scale, in float32. */
function rounded(x: Tensor, scale: Tensor, { float8Dtype }: QuantizeTensorToFloat8Kwargs): Tensor {
  if (x.numel === 0) return cast(x, 'float32')
  const codes = quantizeAffineFloat8(x, scale, float8Dtype, { finite: true })
  return dequantizeAffineFloat8(codes, scale, 'float32', { finite: true })
}

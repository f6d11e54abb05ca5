/**
 * @file An ONNX file of one `MatMulNBits` node: input `x` (M, K), output `y` (M, N).
 *
 * ONNX files are protocol buffers; field numbers below are those of onnx.proto.
 */

import { asDense, hostArray, ValueError, type Tensor } from '@ao/base-tensor'
import { PbfWriter } from 'pbf'
import { bytesOf } from './bytes.ts'
import { PACKAGE } from './errors.ts'
import type { MatMulNBits } from './matmul-nbits.ts'

/** Read by ONNX Runtime 1.15 and newer. */
const IR_VERSION = 8
const OPSETS = [
  { domain: '', version: 17 },
  { domain: 'com.microsoft', version: 1 },
]
const ATTRIBUTE_INT = 2

interface NamedTensor {
  readonly name: string
  readonly tensor: Tensor
}

interface ValueInfo {
  readonly name: string
  readonly elementType: number
  readonly columns: number
}

interface Model {
  readonly weight: MatMulNBits
  readonly initializers: readonly NamedTensor[]
  /** Of the node, in the operator's order; '' for one that is left out. */
  readonly inputs: readonly string[]
}

/**
 * The bytes of a model that computes `y = x @ weight^T + bias`.
 *
 * @param options - `bias` (N), of the scales' dtype
 * @throws {@link ValueError} for tensors of a dtype that ONNX Runtime does not take here
 */
export function onnxMatMulNBitsModel(
  weight: MatMulNBits,
  { bias }: { readonly bias?: Tensor | undefined } = {},
): Uint8Array {
  const { B, scales, zeroPoints } = weight
  const constants = [
    { name: 'B', tensor: B },
    { name: 'scales', tensor: scales },
    { name: 'zero_points', tensor: zeroPoints },
    { name: '', tensor: undefined }, // g_idx
    { name: 'bias', tensor: bias },
  ]
  const initializers = constants.filter((each): each is NamedTensor => each.tensor !== undefined)
  const inputs = ['x', ...constants.map(({ name, tensor }) => (tensor ? name : ''))]
  const pbf = new PbfWriter()
  writeModel({ weight, initializers, inputs }, pbf)
  return pbf.finish()
}

function writeModel(model: Model, pbf: PbfWriter): void {
  pbf.writeVarintField(1, IR_VERSION)
  pbf.writeStringField(2, PACKAGE)
  pbf.writeMessage(7, writeGraph, model)
  for (const opset of OPSETS) pbf.writeMessage(8, writeOpset, opset)
}

function writeOpset({ domain, version }: (typeof OPSETS)[number], pbf: PbfWriter): void {
  pbf.writeStringField(1, domain)
  pbf.writeVarintField(2, version)
}

function writeGraph(model: Model, pbf: PbfWriter): void {
  const { scales, attributes } = model.weight
  const elementType = elementTypeOf(scales)
  pbf.writeMessage(1, writeNode, model)
  pbf.writeStringField(2, 'linear')
  for (const each of model.initializers) pbf.writeMessage(5, writeTensor, each)
  pbf.writeMessage(11, writeValueInfo, { name: 'x', elementType, columns: attributes.K })
  pbf.writeMessage(12, writeValueInfo, { name: 'y', elementType, columns: attributes.N })
}

function writeNode({ inputs, weight }: Model, pbf: PbfWriter): void {
  for (const name of inputs) pbf.writeStringField(1, name)
  pbf.writeStringField(2, 'y')
  pbf.writeStringField(4, 'MatMulNBits')
  for (const attribute of Object.entries(weight.attributes)) {
    pbf.writeMessage(5, writeAttribute, attribute as [string, number])
  }
  pbf.writeStringField(7, 'com.microsoft')
}

function writeAttribute([name, value]: [string, number], pbf: PbfWriter): void {
  pbf.writeStringField(1, name)
  pbf.writeVarintField(3, value)
  pbf.writeVarintField(20, ATTRIBUTE_INT)
}

function writeTensor({ name, tensor }: NamedTensor, pbf: PbfWriter): void {
  for (const size of asDense(tensor).shape) pbf.writeVarintField(1, size)
  pbf.writeVarintField(2, elementTypeOf(tensor))
  pbf.writeStringField(8, name)
  pbf.writeBytesField(9, bytesOf(hostArray(tensor)))
}

/** A matrix of any number of rows. */
function writeValueInfo({ name, elementType, columns }: ValueInfo, pbf: PbfWriter): void {
  pbf.writeStringField(1, name)
  pbf.writeMessage(2, writeType, { elementType, columns })
}

function writeType(type: Omit<ValueInfo, 'name'>, pbf: PbfWriter): void {
  pbf.writeMessage(1, writeTensorType, type)
}

function writeTensorType(type: Omit<ValueInfo, 'name'>, pbf: PbfWriter): void {
  pbf.writeVarintField(1, type.elementType)
  pbf.writeMessage(2, writeShape, type.columns)
}

function writeShape(columns: number, pbf: PbfWriter): void {
  pbf.writeMessage(1, (name, dim) => dim.writeStringField(2, name), 'M')
  pbf.writeMessage(1, (size, dim) => dim.writeVarintField(1, size), columns)
}

/** ONNX's number for a dtype. */
function elementTypeOf({ dtype }: Tensor): number {
  switch (dtype) {
    case 'float32':
      return 1
    case 'uint8':
      return 2
    case 'float16':
      return 10
    default:
      throw new ValueError({
        package: PACKAGE,
        expected: 'tensors of float32, float16 or uint8',
        got: dtype,
      })
  }
}

/**
 * @file An ONNX file of one `MatMulNBits` node: input `x` (M, K), output `y` (M, N); or of several, each
 * of which multiplies what the one before gave.
 *
 * ONNX files are protocol buffers; field numbers below are those of onnx.proto.
 */

import { asDense, hostArray, ValueError, type Tensor, takes } from '@ao/base-tensor'
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

/** One product of the chain. */
interface Node {
  readonly weight: MatMulNBits
  /** In the operator's order; '' for one that is left out. */
  readonly inputs: readonly string[]
  readonly output: string
}

interface Model {
  readonly nodes: readonly Node[]
  readonly initializers: readonly NamedTensor[]
}

/**
 * The bytes of a model that computes `y = x @ weight^T + bias`, or `x @ first^T @ second^T ...`.
 *
 * @param weights - one weight, or those of a chain; one that comes again is stored once
 * @param options - `bias` (N) of the last product, of the scales' dtype
 * @throws {@link ValueError} for tensors of a dtype that ONNX Runtime does not take here
 */
export function onnxMatMulNBitsModel(
  weights: MatMulNBits | readonly MatMulNBits[],
  options: { readonly bias?: Tensor | undefined } = {},
): Uint8Array {
  takes('oo{bias}', weights, options)
  const { bias } = options
  const chain = 'B' in weights ? [weights] : weights
  takes('l<0>', chain)
  for (const weight of chain) takes('o<B:t scales:t attributes:o>', weight)
  const distinct = [...new Set(chain)]
  const initializers: NamedTensor[] = []
  const store = (name: string, tensor: Tensor | undefined): string => {
    if (!tensor) return ''
    if (!initializers.some((each) => each.name === name)) initializers.push({ name, tensor })
    return name
  }
  const nodes = chain.map((weight, at) => {
    const { B, scales, zeroPoints } = weight
    const suffix = distinct.length > 1 ? String(distinct.indexOf(weight)) : ''
    const isLast = at === chain.length - 1
    const inputs = [
      at === 0 ? 'x' : `y${at - 1}`,
      store(`B${suffix}`, B),
      store(`scales${suffix}`, scales),
      store(`zero_points${suffix}`, zeroPoints),
      '', // g_idx
      store('bias', isLast ? bias : undefined),
    ]
    return { weight, inputs, output: isLast ? 'y' : `y${at}` }
  })
  const pbf = new PbfWriter()
  writeModel({ nodes, initializers }, pbf)
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

function writeGraph({ nodes, initializers }: Model, pbf: PbfWriter): void {
  const [first, last] = [nodes[0] as Node, nodes.at(-1) as Node]
  const input = { name: 'x', columns: first.weight.attributes.K }
  const output = { name: 'y', columns: last.weight.attributes.N }
  for (const node of nodes) pbf.writeMessage(1, writeNode, node)
  pbf.writeStringField(2, 'linear')
  for (const each of initializers) pbf.writeMessage(5, writeTensor, each)
  pbf.writeMessage(11, writeValueInfo, {
    ...input,
    elementType: elementTypeOf(first.weight.scales),
  })
  pbf.writeMessage(12, writeValueInfo, {
    ...output,
    elementType: elementTypeOf(last.weight.scales),
  })
}

function writeNode({ inputs, output, weight }: Node, pbf: PbfWriter): void {
  for (const name of inputs) pbf.writeStringField(1, name)
  pbf.writeStringField(2, output)
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

/**
 * @file A module tree as text, as PyTorch prints it:
 *
 *     Sequential(
 *       (0): Linear(in=128, out=256, bias=true, weight=Int8Tensor(blockSize=[1, 128], scale=[256, 1]))
 *       (1): ReLU()
 *     )
 *
 * Nothing here knows a format: a quantized parameter says what it is through `flatten()`.
 */

import {
  isTensorSubclass,
  type Tensor,
  type TensorSubclass,
  type TensorSubclassType,
} from '@ao/base-tensor'

/** What is described of a module. */
interface DescribedModule {
  extraRepr(): string
  ownParameters(): [name: string, parameter: Tensor][]
  namedChildren(): [name: string, child: DescribedModule][]
}

/** The tree below `module`; a run of children with equal text is one line `(layers.0-3): 4 x ...`. */
export function describeModule(module: DescribedModule): string {
  const name = module.constructor.name
  const repr = [module.extraRepr(), ...quantizedParameters(module)].filter(Boolean).join(', ')
  const lines = collapseRuns(
    module.namedChildren().map(([child, value]) => [child, describeModule(value)]),
  )
  if (lines.length === 0) return `${name}(${repr})`
  const body = [...(repr ? [repr] : []), ...lines].join('\n').replaceAll('\n', '\n  ')
  return `${name}(\n  ${body}\n)`
}

function quantizedParameters(module: DescribedModule): string[] {
  return module
    .ownParameters()
    .flatMap(([name, parameter]) =>
      isTensorSubclass(parameter) ? [`${name}=${describeFormat(parameter)}`] : [],
    )
}

// What one wants to see of a format: which elements share a scale, and how many scales that makes.
function describeFormat(tensor: TensorSubclass): string {
  const { tensors, attributes } = tensor.flatten()
  const parts: string[] = []
  for (const [name, value] of Object.entries(attributes)) {
    if (/granularity|(block|group)size/i.test(name)) parts.push(`${name}=${plainText(value)}`)
  }
  for (const [name, inner] of Object.entries(tensors)) {
    if (/scale/i.test(name)) parts.push(`${name}=${plainText(inner.shape)}`)
  }
  const { formatName } = tensor.constructor as unknown as TensorSubclassType
  return `${formatName}(${parts.join(', ')})`
}

function plainText(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(plainText).join(', ')}]` : JSON.stringify(value)
}

function collapseRuns(children: readonly [name: string, text: string][]): string[] {
  const lines: string[] = []
  for (let i = 0; i < children.length;) {
    const [first, text] = children[i] as [string, string]
    let end = i + 1
    if (/\d$/.test(first)) while (children[end]?.[1] === text) end++
    const count = end - i
    if (count > 1) {
      const last = (children[end - 1] as [string, string])[0]
      lines.push(`(${first}-${last.slice(last.lastIndexOf('.') + 1)}): ${count} x ${text}`)
    } else lines.push(`(${first}): ${text}`)
    i = end
  }
  return lines
}

/** @file `ao inspect`: what is in a checkpoint. */

import { hostFloat32, isTensorSubclass } from '@ao/base-tensor'
import type { Checkpoint } from '@ao/safetensors'
import type { Command } from 'commander'
import {
  bitsPerWeight,
  describeTensor,
  elementsOf,
  granularityOf,
  isKnown,
  type TensorDescription,
} from '../describe-tensor.ts'
import { usageError } from '../errors.ts'
import { FORMATS } from '../formats.ts'
import type { CommandContext, Report, Run } from '../io.ts'
import {
  addSourceOptions,
  openModelSource,
  type ModelSource,
  type SourceArguments,
} from '../model-source.ts'
import { formatBytes, formatShape, formatShare, formatTable, plural } from '../output.ts'
import { describeQuantizations, isTorchao, quantizationsOf } from '../quantized-model.ts'
import { statistics, type Statistics } from '../statistics.ts'
import { nearest } from '../suggest.ts'

interface InspectArguments extends SourceArguments {
  readonly tensor?: string
}

const EXAMPLES = `
Examples:
  ao inspect ./stories-4m-int8
  ao inspect model.safetensors --tensor model.layers.0.mlp.up_proj.weight
  ao inspect ./stories-4m-int8 --json | jq '.tensors[] | select(.format == "Int8Tensor") | .name'`

export function addInspect(program: Command, run: Run): void {
  const command = program
    .command('inspect')
    .description('List the tensors of a checkpoint, or one with statistics')
    .argument('<model>', 'folder, .safetensors, .bin or .pt file or http(s) URL')
    .option('--tensor <name>', 'one tensor: its parts, attributes and statistics of its numbers')
  addSourceOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((model: string, args: InspectArguments) =>
      run((context) => inspect(model, args, context)),
    )
}

async function inspect(
  source: string,
  args: InspectArguments,
  context: CommandContext,
): Promise<Report> {
  const model = await openModelSource(source, args, context)
  const checkpoint = await model.open()
  try {
    return args.tensor === undefined
      ? await inspectAll(model, checkpoint, context)
      : await inspectOne(checkpoint, args.tensor)
  } finally {
    await checkpoint.close()
  }
}

async function inspectAll(
  { folder }: ModelSource,
  checkpoint: Checkpoint,
  context: CommandContext,
): Promise<Report> {
  const tensors: TensorDescription[] = []
  for (const name of checkpoint.names) {
    context.signal.throwIfAborted()
    tensors.push(await describeTensor(checkpoint, name))
  }
  const metadata = otherMetadata(checkpoint)
  const quantizations = await quantizationsOf(checkpoint, folder)
  const notes = checkpoint.report.map(({ message }) => message)
  if (!isTorchao(quantizations)) {
    notes.push(`Quantized by ${describeQuantizations(quantizations)}: ao shows what is stored.`)
  }
  const { bytes, parameters = null } = sizeOf(tensors)
  const files = [...checkpoint.files.keys()]
  return {
    json: {
      ...{ files, metadata, notes },
      totals: { tensors: tensors.length, parameters, bytes },
      tensors: tensors.map(tensorJson),
    },
    text: () =>
      [
        tensorTable(tensors),
        '',
        formatTable(TOTAL_COLUMNS, totals(tensors)),
        ...Object.entries(metadata).map(([key, value]) => `metadata ${key}: ${value}`),
        ...notes.map((note) => `note: ${note}`),
      ].join('\n'),
  }
}

/** Metadata that does not describe tensors. */
function otherMetadata(checkpoint: Checkpoint): Record<string, string> {
  const entries = [...checkpoint.metadata].filter(
    ([key]) => key !== 'tensor_names' && !checkpoint.has(key),
  )
  return Object.fromEntries(entries)
}

function tensorJson(tensor: TensorDescription): object {
  const { shape, blockSize, bytes } = tensor
  return {
    ...tensor,
    shape: shape ?? null,
    blockSize: blockSize ?? null,
    bitsPerWeight: bitsPerWeight(bytes, elementsOf(tensor)) ?? null,
  }
}

const RIGHT = 'right' as const

function tensorTable(tensors: readonly TensorDescription[]): string {
  const columns = [
    ...['tensor', 'format', 'shape', 'scale per'].map((title) => ({ title })),
    ...['bytes', 'bits/weight'].map((title) => ({ title, align: RIGHT })),
  ]
  const rows = tensors.map((tensor) => [
    tensor.name,
    tensor.format,
    tensor.shape ? formatShape(tensor.shape) : '?',
    granularityOf(tensor),
    String(tensor.bytes),
    bitsPerWeight(tensor.bytes, elementsOf(tensor))?.toFixed(2) ?? '?',
  ])
  return formatTable(columns, rows)
}

const TOTAL_COLUMNS = [
  { title: 'format' },
  ...['tensors', 'parameters', 'size', 'bits/weight'].map((title) => ({ title, align: RIGHT })),
]

/** A row for each format, and one for all. */
function totals(tensors: readonly TensorDescription[]): string[][] {
  const formats = [...new Set(tensors.map(({ format }) => format))]
  const groups = formats.map((format): [string, readonly TensorDescription[]] => {
    return [format, tensors.filter((tensor) => tensor.format === format)]
  })
  groups.push(['all', tensors])
  return groups.map(([format, group]) => {
    const { bytes, parameters } = sizeOf(group)
    const bits = bitsPerWeight(bytes, parameters)
    return [
      ...[format, String(group.length), parameters === undefined ? '?' : String(parameters)],
      ...[formatBytes(bytes), bits?.toFixed(2) ?? '?'],
    ]
  })
}

/** `parameters` is undefined where a shape is. */
function sizeOf(tensors: readonly TensorDescription[]): {
  readonly bytes: number
  readonly parameters: number | undefined
} {
  let bytes = 0
  let parameters: number | undefined = 0
  for (const tensor of tensors) {
    const elements = elementsOf(tensor)
    bytes += tensor.bytes
    parameters =
      parameters === undefined || elements === undefined ? undefined : parameters + elements
  }
  return { bytes, parameters }
}

async function inspectOne(checkpoint: Checkpoint, name: string): Promise<Report> {
  if (!checkpoint.has(name)) {
    const guess = nearest(name, checkpoint.names)
    throw usageError(
      `a tensor among the ${plural(checkpoint.names.length, 'tensor')} of the checkpoint`,
      name,
      guess === undefined ? 'List them with ao inspect.' : `Did you mean ${guess}?`,
    )
  }
  const tensor = await describeTensor(checkpoint, name)
  const numbers = await numbersOf(checkpoint, tensor)
  return {
    json: { ...tensorJson(tensor), statistics: numbers },
    text: () =>
      [
        tensorTable([tensor]),
        '',
        formatTable(
          ['part', 'dtype', 'shape', 'file'].map((title) => ({ title })),
          tensor.parts.map((part) => [
            ...[part.key, part.dtype, formatShape(part.shape), part.fileName],
          ]),
        ),
        '',
        statisticsTable(numbers),
        ...Object.entries(tensor.attributes).map(
          ([key, value]) => `attribute ${key}: ${JSON.stringify(value)}`,
        ),
      ].join('\n'),
  }
}

/** Statistics of the weight in full precision, and of what it is stored as. */
async function numbersOf(
  checkpoint: Checkpoint,
  { name, format }: TensorDescription,
): Promise<Readonly<Record<string, Statistics | null>>> {
  if (!isKnown(format) && checkpoint.info(name).dtype === undefined) return {}
  const tensor = await checkpoint.read(name, { formats: FORMATS })
  if (!isTensorSubclass(tensor)) return { value: statistics(hostFloat32(tensor)) ?? null }
  const numbers: Record<string, Statistics | null> = {
    value: statistics(hostFloat32(tensor.dequantize('float32'))) ?? null,
  }
  for (const [field, part] of Object.entries(tensor.flatten().tensors)) {
    numbers[field] = statistics(hostFloat32(part)) ?? null
  }
  return numbers
}

function statisticsTable(numbers: Readonly<Record<string, Statistics | null>>): string {
  const columns = [
    { title: 'numbers' },
    ...['min', 'max', 'mean', 'std', 'zeros', 'not finite'].map((title) => ({
      title,
      align: RIGHT,
    })),
  ]
  const rows = Object.entries(numbers).map(([what, found]) =>
    found
      ? [
          what,
          ...[found.min, found.max, found.mean, found.std].map((value) => value.toPrecision(4)),
          ...[formatShare(found.zeros), String(found.nonFinite)],
        ]
      : [what, ...['', '', '', '', '', 'all']],
  )
  return rows.length > 0
    ? formatTable(columns, rows)
    : 'ao does not know this format: no statistics.'
}

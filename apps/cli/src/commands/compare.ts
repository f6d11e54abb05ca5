/** @file `ao compare`: how far two checkpoints are apart, tensor by tensor. */

import {
  FormatError,
  isTensorSubclass,
  type Device,
  type Tensor,
  type TensorSubclass,
} from '@ao/base-tensor'
import type { Checkpoint } from '@ao/safetensors'
import type { Command } from 'commander'
import { checkKnown, describeTensor } from '../describe-tensor.ts'
import { computeOn, deviceOption, withDevice, type DeviceName } from '../device.ts'
import { FORMATS } from '../formats.ts'
import type { CommandContext, Report, Run } from '../io.ts'
import {
  addSourceOptions,
  openModelSource,
  type ModelSource,
  type SourceArguments,
} from '../model-source.ts'
import { formatBytes, formatDb, formatTable, plural } from '../output.ts'
import { createProgress } from '../progress.ts'
import { describeQuantizations, isTorchao, quantizationsOf } from '../quantized-model.ts'
import { ascending, sqnr } from '../sqnr.ts'

interface CompareArguments extends SourceArguments {
  readonly device: DeviceName
}

const EXAMPLES = `
SQNR is the ratio of signal (the tensor in <a>) to quantization noise (its difference in <b>), of the
numbers that quantized tensors stand for. 6 dB are one bit.

Examples:
  ao compare ./stories-4m ./stories-4m-int8
  ao compare ./stories-4m ./stories-4m-int8 --json | jq '.tensors[0]'`

export function addCompare(program: Command, run: Run): void {
  const command = program
    .command('compare')
    .description('Compare the tensors of two checkpoints, worst first')
    .argument('<a>', 'folder, .safetensors, .bin or .pt file or http(s) URL: the reference')
    .argument('<b>', 'the one to judge')
  addSourceOptions(command)
    .addOption(deviceOption())
    .addHelpText('after', EXAMPLES)
    .action((a: string, b: string, args: CompareArguments) =>
      run((context) => withDevice(args.device, (device) => compare(a, b, args, device, context))),
    )
}

/** A tensor that is in both. */
interface Row {
  readonly name: string
  readonly formatA: string
  readonly formatB: string
  readonly bytesA: number
  readonly bytesB: number
  /** In dB, Infinity where they are equal; undefined where shapes differ. */
  readonly sqnr: number | undefined
}

async function compare(
  a: string,
  b: string,
  args: CompareArguments,
  device: Device,
  context: CommandContext,
): Promise<Report> {
  const [sourceA, sourceB] = [
    await openModelSource(a, args, context),
    await openModelSource(b, args, context),
  ]
  const checkpointA = await sourceA.open()
  try {
    const checkpointB = await sourceB.open()
    try {
      await checkComparable(sourceA, checkpointA)
      await checkComparable(sourceB, checkpointB)
      return await compareCheckpoints(checkpointA, checkpointB, device, context)
    } finally {
      await checkpointB.close()
    }
  } finally {
    await checkpointA.close()
  }
}

/** @throws {@link FormatError} where stored numbers are codes whose scales ao does not know */
async function checkComparable(
  { name, folder }: ModelSource,
  checkpoint: Checkpoint,
): Promise<void> {
  const found = await quantizationsOf(checkpoint, folder)
  if (isTorchao(found)) return
  throw new FormatError({
    package: '@ao/cli',
    expected: `numbers, or tensors that torchao quantized, in ${name}`,
    got: `codes of ${describeQuantizations(found)}`,
    cure: 'Compare models of floats, or what ao quantize makes of them; ao inspect lists any.',
  })
}

async function compareCheckpoints(
  a: Checkpoint,
  b: Checkpoint,
  device: Device,
  context: CommandContext,
): Promise<Report> {
  const both = a.names.filter((name) => b.has(name))
  const onlyA = a.names.filter((name) => !b.has(name))
  const onlyB = b.names.filter((name) => !a.has(name))
  const rows: Row[] = []
  const progress = createProgress('compare', context.stderr)
  try {
    for (const name of both) {
      context.signal.throwIfAborted()
      progress.update(rows.length, both.length, name)
      rows.push(await compareTensor(a, b, name, device))
    }
  } finally {
    progress.stop()
  }
  rows.sort((left, right) => ascending(left.sqnr ?? -Infinity, right.sqnr ?? -Infinity))
  const bytesA = rows.reduce((sum, row) => sum + row.bytesA, 0)
  const bytesB = rows.reduce((sum, row) => sum + row.bytesB, 0)
  const equal = rows.filter(({ sqnr }) => sqnr === Infinity).length
  return {
    json: {
      ...{ onlyA, onlyB },
      totals: { tensors: rows.length, equal, bytesA, bytesB, ratio: bytesA / bytesB },
      tensors: rows.map((row) => ({
        ...row,
        sqnr: row.sqnr ?? null,
        equal: row.sqnr === Infinity,
      })),
    },
    text: () =>
      [
        table(rows),
        '',
        `${plural(rows.length, 'tensor')} in both, ${equal} equal; ` +
          `${formatBytes(bytesA)} and ${formatBytes(bytesB)}, a ratio of ${(bytesA / bytesB).toFixed(2)}`,
        ...onlyA.map((name) => `only in a: ${name}`),
        ...onlyB.map((name) => `only in b: ${name}`),
      ].join('\n'),
  }
}

async function compareTensor(
  a: Checkpoint,
  b: Checkpoint,
  name: string,
  device: Device,
): Promise<Row> {
  const [inA, inB] = [await describeTensor(a, name), await describeTensor(b, name)]
  const row = {
    ...{ name, formatA: inA.format, formatB: inB.format },
    ...{ bytesA: inA.bytes, bytesB: inB.bytes },
  }
  checkKnown(a, name)
  checkKnown(b, name)
  const valueA = await a.read(name, { formats: FORMATS })
  const valueB = await b.read(name, { formats: FORMATS })
  const sameShape = valueA.shape.join() === valueB.shape.join()
  if (!sameShape) return { ...row, sqnr: undefined }
  return { ...row, sqnr: await sqnr(await decoded(valueA, device), await decoded(valueB, device)) }
}

/** A plain tensor as it is; what a quantized one stands for, dequantized on `device`. */
async function decoded(tensor: Tensor, device: Device): Promise<Tensor> {
  if (!isTensorSubclass(tensor)) return tensor
  return computeOn(device, tensor, (there) => (there as TensorSubclass).dequantize('float32'))
}

function table(rows: readonly Row[]): string {
  const columns = [
    ...['tensor', 'a', 'b'].map((title) => ({ title })),
    ...['bytes a', 'bytes b', 'SQNR'].map((title) => ({ title, align: 'right' as const })),
  ]
  const cells = rows.map((row) => [
    ...[row.name, row.formatA, row.formatB, String(row.bytesA), String(row.bytesB)],
    row.sqnr === undefined ? 'shapes differ' : formatDb(row.sqnr),
  ])
  return formatTable(columns, cells)
}

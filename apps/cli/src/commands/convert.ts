/** @file `ao convert`: writes a checkpoint as safetensors, its numbers as they are. */

import { copyCheckpoint, type Checkpoint } from '@ao/safetensors'
import type { Command } from 'commander'
import { describeQuantizations, isTorchao, quantizationsOf } from '../quantized-model.ts'
import type { CommandContext, Report, Run } from '../io.ts'
import {
  addSourceOptions,
  openModelSource,
  type ModelSource,
  type SourceArguments,
} from '../model-source.ts'
import { formatBytes, plural } from '../output.ts'
import { createProgress } from '../progress.ts'
import {
  describeReplaced,
  openOutputFolder,
  type Committed,
  type OutputFolder,
} from '../quantize/output-folder.ts'
import { conversionOf } from '../quantize/run-record.ts'
import {
  asLackOfRoom,
  describeNotCopied,
  findSideFiles,
  readModelConfig,
  readNames,
  writeSideFiles,
  writtenNames,
  type NotCopied,
} from '../quantize/side-files.ts'

interface ConvertArguments extends SourceArguments {
  readonly out: string
  readonly force?: boolean
}

const EXAMPLES = `
Examples:
  ao convert ./Phi-4-mini-instruct-INT4 --out ./Phi-4-mini-int4
  ao convert checkpoint.pt --state-dict model --out ./model`

export function addConvert(program: Command, run: Run): void {
  const command = program
    .command('convert')
    .description(
      'Write a checkpoint of PyTorch (.bin, .pt, .pth) as safetensors, quantized tensors as torchao does',
    )
    .argument('<model>', 'folder in Hugging Face layout, .bin, .pt or .pth file or http(s) URL')
    .requiredOption(
      '--out <dir>',
      'folder to write; it may lie inside that of the model, but not be it',
    )
  addSourceOptions(command)
    .option('--force', 'write into a folder that holds something else; its weights are removed')
    .addHelpText('after', EXAMPLES)
    .action((model: string, args: ConvertArguments) =>
      run((context) => convert(model, args, context)),
    )
}

async function convert(
  source: string,
  args: ConvertArguments,
  context: CommandContext,
): Promise<Report> {
  const model = await openModelSource(source, args, context)
  const checkpoint = await model.open('model.safetensors')
  try {
    const modelConfig = model.folder && (await readModelConfig(model.folder))
    const output = await openOutputFolder(args.out, {
      input: model.path,
      force: args.force ?? false,
      part: undefined,
      run: await conversionOf(checkpoint, modelConfig),
    })
    const notes = checkpoint.report.map(({ message }) => message)
    const found = await quantizationsOf(checkpoint, model.folder)
    if (!isTorchao(found)) {
      notes.push(`Quantized by ${describeQuantizations(found)}: written as it is stored.`)
    }
    return await writeOutput(
      { model, checkpoint, modelConfig, out: args.out, notes },
      output,
      context,
    )
  } finally {
    await checkpoint.close()
  }
}

interface Job {
  readonly model: ModelSource
  readonly checkpoint: Checkpoint
  readonly modelConfig: string | undefined
  readonly out: string
  readonly notes: readonly string[]
}

async function writeOutput(
  job: Job,
  output: OutputFolder,
  context: CommandContext,
): Promise<Report> {
  const { model, checkpoint } = job
  const progress = createProgress('convert', context.stderr)
  const start = performance.now()
  const discard = (): Promise<void> => output.discard()
  context.cleanups?.add(discard)
  let total = 0
  try {
    let notCopied: readonly NotCopied[] = []
    if (model.folder) {
      const side = await findSideFiles(model.path, readNames(checkpoint))
      notCopied = side.notCopied
      await writeSideFiles(
        model.folder,
        output.staged,
        job.modelConfig,
        side.copied,
        context.signal,
      )
    }
    const { fileNames, bytes } = await copyCheckpoint(checkpoint, output.staged, {
      signal: context.signal,
      metadata: { format: 'pt' },
      onProgress: ({ bytes: done, totalBytes, name }) => {
        total = totalBytes
        progress.update(done, totalBytes, name)
      },
    })
    const committed = await output.commit(writtenNames(checkpoint), fileNames)
    progress.stop()
    const seconds = (performance.now() - start) / 1000
    return written({ job, committed, notCopied, bytes, seconds })
  } catch (error) {
    throw asLackOfRoom(error, total, job.out)
  } finally {
    progress.stop()
    await output.discard()
    context.cleanups?.delete(discard)
  }
}

interface Written {
  readonly job: Job
  readonly committed: Committed
  readonly notCopied: readonly NotCopied[]
  readonly bytes: number
  readonly seconds: number
}

function written({ job, committed, notCopied, bytes, seconds }: Written): Report {
  const { checkpoint, out, notes } = job
  const { files, replaced } = committed
  const tensors = checkpoint.names.length
  const quantized = checkpoint.names.filter((name) => checkpoint.info(name).format !== 'Tensor')
  return {
    json: {
      ...{ tensors, quantized: quantized.length, bytes, notes, out, files, seconds },
      ...{ replaced: replaced ?? null, notCopied },
    },
    text: () =>
      [
        `${plural(tensors, 'tensor')} as they are, ${quantized.length} of them quantized; ${formatBytes(bytes)}`,
        ...notes.map((note) => `note: ${note}`),
        `wrote ${files.join(', ')} to ${out}`,
        ...(notCopied.length === 0 ? [] : [describeNotCopied(notCopied)]),
        ...(replaced ? [describeReplaced(replaced)] : []),
        `${seconds.toFixed(2)} s`,
      ].join('\n'),
  }
}

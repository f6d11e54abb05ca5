/** @file `ao quantize`: quantizes a checkpoint, tensor by tensor. */

import { cpu, type Device, type FloatDType, type Tensor } from '@ao/base-tensor'
import { checkFinite, MODEL_FAMILIES, tensorRoles } from '@ao/quantize'
import { transformCheckpoint, type Checkpoint, type TensorTransform } from '@ao/safetensors'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { addConfigOptions, CONFIG_HELP, readConfig, type ConfigArguments } from '../configs.ts'
import { usageError } from '../errors.ts'
import { computeOn, deviceOption, withDevice, type DeviceName } from '../device.ts'
import { FORMATS } from '../formats.ts'
import type { CommandContext, Report, Run } from '../io.ts'
import {
  addSourceOptions,
  openModelSource,
  type ModelSource,
  type SourceArguments,
} from '../model-source.ts'
import { collect, FLOAT_DTYPES } from '../options.ts'
import { createProgress } from '../progress.ts'
import { checkNotQuantized, quantizationsOf } from '../quantized-model.ts'
import {
  describeReplaced,
  openOutputFolder,
  type OutputFolder,
  type Replaced,
} from '../quantize/output-folder.ts'
import { runOf, type Shard } from '../quantize/run-record.ts'
import {
  asLackOfRoom,
  describeNotCopied,
  findSideFiles,
  parseConfig,
  quantizedModelConfig,
  readModelConfig,
  readNames,
  writeSideFiles,
  writtenNames,
  type NotCopied,
} from '../quantize/side-files.ts'
import { planTable, summarize, summaryLines } from '../quantize/summary.ts'
import {
  WeightPlanner,
  type CheckpointPlan,
  type TensorPlan,
  type WeightOptions,
} from '../quantize/weight-planner.ts'

interface QuantizeArguments extends ConfigArguments, SourceArguments {
  readonly config: string
  readonly out?: string
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  readonly lmHead?: boolean
  readonly dtype?: FloatDType
  readonly device: DeviceName
  readonly shard?: Shard
  readonly dryRun?: boolean
  readonly force?: boolean
}

const EXAMPLES = `
Patterns for --include and --exclude are a module's full name, or re: and a regular expression that
matches the whole of it; both options may be given several times.

Examples:
  ao quantize ./stories-4m --config int8 --out ./stories-4m-int8
  ao quantize ./stories-4m --config int8 --granularity group:32 --exclude 're:.*down_proj' --out ./out
  ao quantize ./stories-4m --config int4 --group-size 64 --format plain_int32 --out ./out
  ao quantize ./stories-4m --config int8-dynamic --dry-run
  ao quantize https://models.example.com/llama-3 --config int8 --out ./model-int8
  ao quantize ./large --config int8 --out ./out --shard 1/2    # on one machine
  ao quantize ./large --config int8 --out ./out --shard 2/2    # on another; then: ao merge ./out`

export function addQuantize(program: Command, run: Run): void {
  const command = program
    .command('quantize')
    .description('Quantize a checkpoint, one tensor in memory at a time')
    .argument(
      '<model>',
      'folder in Hugging Face layout, .safetensors, .bin or .pt file or http(s) URL',
    )
    .requiredOption('--config <name|file>', 'how to quantize')
  addSourceOptions(addConfigOptions(command))
    .option('--out <dir>', 'folder to write; it may lie inside that of the model, but not be it')
    .option('--include <pattern>', 'quantize these modules only', collect)
    .option('--exclude <pattern>', 'leave these modules alone', collect)
    .option('--lm-head', 'quantize the output head, too')
    .addOption(new Option('--dtype <dtype>', 'cast weights before').choices(FLOAT_DTYPES))
    .addOption(deviceOption())
    .option('--shard <i/n>', 'make the i-th of n parts of a sharded checkpoint only', parseShard)
    .option('--dry-run', 'show what would become of each tensor, and write nothing')
    .option('--force', 'write into a folder that holds something else; its weights are removed')
    .addHelpText('after', `\n${CONFIG_HELP}\n${EXAMPLES}`)
    .action((model: string, args: QuantizeArguments) =>
      run((context) => withDevice(args.device, (device) => quantize(model, args, device, context))),
    )
}

function parseShard(text: string): Shard {
  const [index, count] = (/^(\d+)\/(\d+)$/.exec(text)?.slice(1) ?? []).map(Number)
  if (index !== undefined && count !== undefined && index >= 1 && index <= count) {
    return { index, count }
  }
  throw new InvalidArgumentError('Expected i/n with i from 1 to n, such as 1/4.')
}

async function quantize(
  source: string,
  args: QuantizeArguments,
  device: Device,
  context: CommandContext,
): Promise<Report> {
  if (args.out === undefined && args.dryRun !== true) {
    throw usageError('--out <dir>', 'none', 'Add it, or --dry-run to write nothing.')
  }
  const given = await readConfig(args.config, args)
  const quantization = 'config' in given ? given : undefined
  const model = await openModelSource(source, args, context)
  const checkpoint = await model.open('model.safetensors')
  try {
    const modelConfig = model.folder && (await readModelConfig(model.folder))
    checkNotQuantized(await quantizationsOf(checkpoint, model.folder), model.name)
    const json = modelConfig === undefined ? null : parseConfig(modelConfig, model.name)
    const options: WeightOptions = {
      config: 'config' in given ? given.config : given,
      quantization,
      roles: tensorRoles(json, MODEL_FAMILIES),
      maybeTied: json?.['tie_word_embeddings'] !== false,
      include: args.include ?? [],
      exclude: args.exclude ?? [],
      lmHead: args.lmHead ?? false,
      dtype: args.dtype,
    }
    checkShard(args.shard, checkpoint)
    const planner = new WeightPlanner(checkpoint, options)
    const plan = await planner.plan()
    if (args.out === undefined || args.dryRun === true) return dryRun(plan)
    const job: Job = {
      ...{ model, checkpoint, planner, plan, device, out: args.out, shard: args.shard },
      config:
        modelConfig &&
        quantizedModelConfig(modelConfig, {
          quantization: planner.quantization(plan.tensors),
          isUntied: Object.keys(plan.copies).length > 0,
          dtype: args.dtype,
        }),
    }
    const output = await openOutputFolder(args.out, {
      input: model.path,
      force: args.force ?? false,
      part: args.shard,
      run: await runOf(options, checkpoint, modelConfig),
    })
    return await writeOutput(job, output, context)
  } finally {
    await checkpoint.close()
  }
}

function checkShard(shard: Shard | undefined, checkpoint: Checkpoint): void {
  const files = checkpoint.files.size
  if (shard === undefined || (checkpoint.sharded && shard.count <= files)) return
  const got = checkpoint.sharded ? `${files} files` : 'one file'
  throw usageError(
    `a checkpoint of ${shard.count} files or more for --shard`,
    got,
    'Make fewer parts, or leave --shard out.',
  )
}

function dryRun({ tensors, notes }: CheckpointPlan): Report {
  const summary = summarize(tensors)
  return {
    json: { ...summary, notes, tensors: tensors.map(planJson) },
    text: () =>
      [planTable(tensors), '', ...summaryLines(summary), ...notes.map(noteLine)].join('\n'),
  }
}

function noteLine(note: string): string {
  return `note: ${note}`
}

function planJson(plan: TensorPlan): object {
  return { ...plan, shape: plan.shape ?? null, reason: plan.reason ?? null }
}

interface Job {
  readonly model: ModelSource
  readonly checkpoint: Checkpoint
  readonly planner: WeightPlanner
  readonly device: Device
  readonly plan: CheckpointPlan
  readonly out: string
  readonly shard: Shard | undefined
  /** The text of the new config.json. */
  readonly config: string | undefined
}

async function writeOutput(
  job: Job,
  output: OutputFolder,
  context: CommandContext,
): Promise<Report> {
  const { model, checkpoint, plan, shard } = job
  const { staged } = output
  const progress = createProgress('quantize', context.stderr)
  const start = performance.now()
  const discard = (): Promise<void> => output.discard()
  context.cleanups?.add(discard)
  try {
    const weights = writtenNames(checkpoint)
    let notCopied: readonly NotCopied[] = []
    if (model.folder) {
      const side = await findSideFiles(model.path, readNames(checkpoint))
      notCopied = side.notCopied
      await writeSideFiles(model.folder, staged, job.config, side.copied, context.signal)
    }
    const { fileNames } = await transformCheckpoint(checkpoint, staged, transformOn(job), {
      formats: FORMATS,
      signal: context.signal,
      copies: plan.copies,
      metadata: { format: 'pt' },
      onProgress: ({ bytes, totalBytes, name }) => progress.update(bytes, totalBytes, name),
      ...(shard === undefined ? {} : { shard }),
    })
    const { files, replaced } = await output.commit(weights, fileNames)
    progress.stop()
    const plans = plan.tensors.filter(({ fileName }) => fileNames.includes(fileName))
    const seconds = (performance.now() - start) / 1000
    const { notes } = plan
    return written({ plans, notes, out: job.out, files, seconds, replaced, notCopied })
  } catch (error) {
    const bytes = plan.tensors.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0)
    throw asLackOfRoom(error, bytes, job.out)
  } finally {
    progress.stop()
    await output.discard()
    context.cleanups?.delete(discard)
  }
}

/** The planner's transform, with quantized weights made on the job's device. */
function transformOn({ planner, plan, device }: Job): TensorTransform {
  const kept = new Set(
    plan.tensors.filter(({ reason }) => reason !== undefined).map(({ name }) => name),
  )
  return async (name, tensor) => {
    const here = (there: Tensor): Tensor => planner.transform(name, there)
    if (tensor.device.name === 'meta' || device === cpu || kept.has(name)) return here(tensor)
    await checkFinite(tensor, name)
    return computeOn(device, tensor, here)
  }
}

interface Written {
  readonly plans: readonly TensorPlan[]
  readonly notes: readonly string[]
  readonly out: string
  readonly files: readonly string[]
  readonly seconds: number
  readonly replaced: Replaced | undefined
  readonly notCopied: readonly NotCopied[]
}

function written(done: Written): Report {
  const { plans, notes, out, files, seconds, replaced, notCopied } = done
  const summary = summarize(plans)
  const megabytesPerSecond = summary.bytesBefore / 1e6 / seconds
  return {
    json: {
      ...{ ...summary, notes, out, files, seconds, megabytesPerSecond },
      ...{ replaced: replaced ?? null, notCopied, tensors: plans.map(planJson) },
    },
    text: () =>
      [
        ...summaryLines(summary),
        ...notes.map(noteLine),
        `wrote ${files.join(', ')} to ${out}`,
        ...(notCopied.length === 0 ? [] : [describeNotCopied(notCopied)]),
        ...(replaced ? [describeReplaced(replaced)] : []),
        `${seconds.toFixed(2)} s, ${megabytesPerSecond.toFixed(0)} MB/s`,
      ].join('\n'),
  }
}

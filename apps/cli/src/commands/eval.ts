/** @file `ao eval`: how well a model predicts a text, and what quantization costs it. */

import { cat, cpu, inScope, type Device, type Tensor, freeTensor } from '@ao/base-tensor'
import type { CausalLM } from '@ao/causal-lm'
import { perplexity } from '@ao/text-generation'
import { Option, type Command } from 'commander'
import { addConfigOptions, CONFIG_HELP, readConfigs, type ConfigArguments } from '../configs.ts'
import { deviceOption, withDevice, type DeviceName } from '../device.ts'
import { usageError } from '../errors.ts'
import type { CommandContext, Report, Run } from '../io.ts'
import {
  addLoadOptions,
  freeModel,
  loadModel,
  loadModelTokenizer,
  modelBytes,
  modelRoles,
  quantizeAndMeasure,
  type LoadArguments,
  type WeightError,
} from '../load-model.ts'
import {
  addSourceOptions,
  openModelFolder,
  openModelSource,
  type SourceArguments,
} from '../model-source.ts'
import { collect, FLOAT_DTYPES, integerFrom } from '../options.ts'
import { formatBytes, formatDb, formatTable } from '../output.ts'
import { createProgress } from '../progress.ts'
import { checkRunnable } from '../quantized-model.ts'
import { sqnr } from '../sqnr.ts'
import { readTextIds } from '../text-ids.ts'

interface EvalArguments extends ConfigArguments, LoadArguments, SourceArguments {
  readonly text: string
  readonly window: number
  readonly maxTokensTotal?: number
  readonly config?: readonly string[]
  readonly device: DeviceName
}

const EXAMPLES = `
Without --config the model is measured as it is. With one or several, the first row is the model as it
is, and the others say what each config makes of it: SQNR is the ratio of signal to quantization noise,
of the logits and of the weight that lost most. Bytes in memory are those of all weights as they are
computed with: plain ones in the --dtype of activations, also where a file holds them in fewer bytes.

Examples:
  ao eval ./stories-4m --text stories.txt
  ao eval ./stories-4m --text stories.txt --config int8 --config int8-dynamic
  ao eval ./stories-4m-int8 --text stories.txt --max-tokens-total 2000 --json`

/** Elements of logits that are kept to compare with: 64 MB of float32. */
const KEPT_LOGITS = 2 ** 24

export function addEval(program: Command, run: Run): void {
  const command = program
    .command('eval')
    .description('Measure the perplexity of a Llama model on a text')
    .argument('<model>', 'folder or http(s) URL of a model in Hugging Face layout')
    .requiredOption('--text <file>', 'UTF-8 text to predict')
    .option('--window <n>', 'tokens predicted at a time', integerFrom(1), 256)
    .option('--max-tokens-total <n>', 'predict the first n tokens only', integerFrom(1))
    .option(
      '--config <name|file>',
      'quantize after loading; may be given several times',
      collect,
      [],
    )
  addSourceOptions(addLoadOptions(addConfigOptions(command)))
    .addOption(new Option('--dtype <dtype>', 'dtype of activations').choices(FLOAT_DTYPES))
    .addOption(deviceOption())
    .addHelpText('after', `\n${CONFIG_HELP}\n${EXAMPLES}`)
    .action((model: string, args: EvalArguments) =>
      run((context) => withDevice(args.device, (device) => evaluate(model, args, device, context))),
    )
}

/** One line of the result: the model as it is, or as a config makes it. */
interface Row {
  /** As on the command line; undefined for the model as it is. */
  readonly config: string | undefined
  readonly perplexity: number
  readonly tokens: number
  readonly tokensPerSecond: number
  /** Of all parameters, in memory. */
  readonly bytes: number
  readonly logitsSqnr: number | undefined
  readonly worstWeight: WeightError | undefined
}

async function evaluate(
  source: string,
  args: EvalArguments,
  device: Device,
  context: CommandContext,
): Promise<Report> {
  const titles = args.config ?? []
  const configs = await readConfigs(titles, args)
  const folder = await openModelFolder(source, args, context)
  const tokenizer = await loadModelTokenizer(folder, args)
  await checkRunnable(await openModelSource(source, args, context), titles)
  const roles = await modelRoles(folder)
  const text = await readTextIds(args.text, tokenizer, (args.maxTokensTotal ?? Infinity) + 1)
  const rows: Row[] = []
  const told = new Set<string>()
  let float: Tensor | undefined
  for (const [i, config] of [undefined, ...configs].entries()) {
    const model = await loadModel(folder, args, device, context, told)
    checkWindow(args.window, model.config.maxPositions)
    const end = text.isWhole ? model.config.eosTokenIds.slice(0, 1) : []
    const ids = text.ids.concat(end)
    const errors = config ? await quantizeAndMeasure(model, config, roles, context) : []
    const title = titles[i - 1]
    const { logits, ...measured } = await measure(model, ids, title, args, context)
    rows.push({
      config: title,
      ...measured,
      bytes: modelBytes(model),
      logitsSqnr: float && (await sqnr(float, logits)),
      worstWeight: errors[0],
    })
    float ??= logits
    freeModel(model)
  }
  return { json: { window: args.window, rows: rows.map(rowJson) }, text: () => table(rows) }
}

function checkWindow(window: number, positions: number): void {
  if (window <= positions) return
  const expected = `--window of at most ${positions}, the model's max_position_embeddings`
  throw usageError(expected, String(window), 'Make it smaller.')
}

async function measure(
  model: CausalLM,
  ids: readonly number[],
  title: string | undefined,
  args: EvalArguments,
  context: CommandContext,
): Promise<Pick<Row, 'perplexity' | 'tokens' | 'tokensPerSecond'> & { readonly logits: Tensor }> {
  const { window, maxTokensTotal = Infinity } = args
  const kept: Tensor[] = []
  const recorded = {
    forward(input: readonly number[]): Tensor {
      const logits = model.forward(input)
      // A copy: logits are freed when they are used.
      if (kept.length === 0 || (kept.length + 1) * logits.numel <= KEPT_LOGITS)
        kept.push(logits.clone())
      return logits
    },
  }
  const progress = createProgress(`eval ${title ?? 'as it is'}`, context.stderr)
  const start = performance.now()
  try {
    const result = await perplexity(recorded, ids.slice(0, maxTokensTotal + 1), {
      window,
      signal: context.signal,
      onProgress: ({ done, total }) => progress.update(done, total, `${done} tokens`),
    })
    const seconds = (performance.now() - start) / 1000
    return {
      perplexity: result.perplexity,
      tokens: result.tokens,
      tokensPerSecond: result.tokens / seconds,
      logits: await joined(kept),
    }
  } finally {
    progress.stop()
  }
}

/** Logits of several windows, on the CPU. */
async function joined(windows: readonly Tensor[]): Promise<Tensor> {
  const { device } = windows[0] as Tensor
  const all = inScope(device, () => cat(windows, 0))
  const here = await all.to(cpu)
  if (here !== all) for (const logits of [all, ...windows]) freeTensor(logits)
  return here
}

function rowJson(row: Row): unknown {
  return {
    ...row,
    config: row.config ?? null,
    logitsSqnr: row.logitsSqnr ?? null,
    worstWeight: row.worstWeight ?? null,
  }
}

function table(rows: readonly Row[]): string {
  const columns = [
    { title: 'config' },
    ...['perplexity', 'tokens', 'tokens/s', 'bytes in memory'].map(
      (title) => ({ title, align: 'right' }) as const,
    ),
    { title: 'logits SQNR', align: 'right' } as const,
    { title: 'worst weight' },
  ]
  const cells = rows.map((row) => [
    row.config ?? 'as it is',
    row.perplexity.toFixed(4),
    String(row.tokens),
    row.tokensPerSecond.toFixed(0),
    formatBytes(row.bytes),
    row.logitsSqnr === undefined ? '' : formatDb(row.logitsSqnr),
    row.worstWeight ? `${formatDb(row.worstWeight.sqnr)} ${row.worstWeight.name}` : '',
  ])
  const used = rows.length > 1 ? columns.length : 5
  return formatTable(
    columns.slice(0, used),
    cells.map((row) => row.slice(0, used)),
  )
}

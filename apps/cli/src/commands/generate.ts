/** @file `ao generate`: continues a text. */

import type { Device } from '@ao/base-tensor'
import type { GenerateOptions, Tokenizer } from '@ao/text-generation'
import { Option, type Command } from 'commander'
import { addConfigOptions, CONFIG_HELP, readConfig, type ConfigArguments } from '../configs.ts'
import { usageError } from '../errors.ts'
import { deviceOption, withDevice, type DeviceName } from '../device.ts'
import type { CommandContext, Report, Run } from '../io.ts'
import {
  addLoadOptions,
  loadModel,
  loadModelTokenizer,
  modelRoles,
  quantizeModel,
  type LoadArguments,
} from '../load-model.ts'
import {
  addSourceOptions,
  openModelFolder,
  openModelSource,
  type SourceArguments,
} from '../model-source.ts'
import { FLOAT_DTYPES, integerFrom, numberBetween } from '../options.ts'
import { readTextStream } from '../read-file.ts'
import { checkRunnable } from '../quantized-model.ts'

interface GenerateArguments extends ConfigArguments, LoadArguments, SourceArguments {
  readonly prompt: string
  readonly maxTokens?: number
  readonly temperature: number
  readonly topK?: number
  readonly topP?: number
  readonly seed: number
  readonly config?: string
  readonly device: DeviceName
}

const MAX_TOKENS = 64

const EXAMPLES = `
Examples:
  ao generate ./stories-4m --prompt "Once upon a time"
  ao generate ./stories-4m-int8 --prompt "Tom had a dog" --temperature 0.8 --top-p 0.9 --seed 7
  ao generate ./stories-4m --prompt "Lily" --config int8-dynamic --json
  ao generate ./stories-4m --prompt "Lily" --config int4 --device webgpu
  cat story.txt | ao generate ./stories-4m --prompt -`

export function addGenerate(program: Command, run: Run): void {
  const command = program
    .command('generate')
    .description('Continue a text with a Llama model, quantized or not')
    .argument('<model>', 'folder or http(s) URL of a model in Hugging Face layout')
    .requiredOption('--prompt <text>', 'text to continue; - reads it from standard input')
    .option(
      '--max-tokens <n>',
      `tokens to generate at most (default: ${MAX_TOKENS})`,
      integerFrom(1),
    )
    .option(
      '--temperature <t>',
      '0 always takes the likeliest token',
      numberBetween(0, Infinity),
      0,
    )
    .option('--top-k <k>', 'choose among the k likeliest tokens', integerFrom(1))
    .option('--top-p <p>', 'choose among tokens of this probability', numberBetween(0, 1))
    .option('--seed <n>', 'seed of the choice', integerFrom(0), 0)
    .option('--config <name|file>', 'quantize after loading')
  addSourceOptions(addLoadOptions(addConfigOptions(command)))
    .addOption(new Option('--dtype <dtype>', 'dtype of activations').choices(FLOAT_DTYPES))
    .addOption(deviceOption())
    .addHelpText('after', `\n${CONFIG_HELP}\n${EXAMPLES}`)
    .action((model: string, args: GenerateArguments) =>
      run((context) => withDevice(args.device, (device) => generate(model, args, device, context))),
    )
}

async function generate(
  source: string,
  args: GenerateArguments,
  device: Device,
  context: CommandContext,
): Promise<Report> {
  const prompt = await readPrompt(args.prompt, context)
  const folder = await openModelFolder(source, args, context)
  const tokenizer = await loadModelTokenizer(folder, args)
  await checkRunnable(
    await openModelSource(source, args, context),
    args.config === undefined ? [] : [args.config],
  )
  const config = args.config === undefined ? undefined : await readConfig(args.config, args)
  const model = await loadModel(folder, args, device, context)
  if (config) await quantizeModel(model, config, await modelRoles(folder), context)
  const promptIds = tokenizer.encode(prompt)
  noteDoubledStart(promptIds, tokenizer, context)
  const { text, ids, prefill, decode } = await stream(
    model.generate(promptIds, {
      ...generateOptions(args, context),
      maxNewTokens: maxNewTokens(args.maxTokens, model.config.maxPositions, promptIds.length),
    }),
    tokenizer,
    context.json ? () => undefined : (piece) => context.stdout.write(piece),
  )
  const prefillRate = promptIds.length / prefill
  const decodeRate = decode > 0 ? (ids.length - 1) / decode : undefined
  return {
    json: {
      prompt,
      text,
      ids,
      promptTokens: promptIds.length,
      prefillTokensPerSecond: prefillRate,
      decodeTokensPerSecond: decodeRate ?? null,
    },
    text: () => '',
    note: `prefill: ${rate(promptIds.length, prefillRate)}; decode: ${rate(ids.length - 1, decodeRate)}`,
  }
}

/** The tokenizer begins each text with a token such as `<s>`; a text that has it already has two then. */
function noteDoubledStart(
  ids: readonly number[],
  tokenizer: Tokenizer,
  { stderr }: CommandContext,
): void {
  const [start] = tokenizer.encode('')
  if (start === undefined || ids[0] !== start || ids[1] !== start) return
  const token = tokenizer.idToToken(start)
  stderr.write(`note: The prompt begins with ${token} twice: leave it out of --prompt.\n`)
}

/** What `--prompt` says; `-` stands for standard input, without the line end behind the last line. */
async function readPrompt(prompt: string, { stdin }: CommandContext): Promise<string> {
  if (prompt !== '-') return prompt
  const text = stdin && (await readTextStream(stdin, 'a prompt on standard input'))
  if (text) return text.replace(/\r?\n$/, '')
  throw usageError('a prompt on standard input for --prompt -', 'none', 'Pipe a text into ao.')
}

/** @throws {@link UsageError} where the model has too few positions for what was asked */
function maxNewTokens(asked: number | undefined, positions: number, promptTokens: number): number {
  const room = positions - promptTokens
  if (room < 1) {
    const expected = `--prompt of at most ${positions - 1} tokens: the model has ${positions} positions`
    throw usageError(expected, `one of ${promptTokens}`, 'Shorten it.')
  }
  if (asked === undefined || asked <= room) return Math.min(asked ?? MAX_TOKENS, room)
  throw usageError(
    `--max-tokens of at most ${room}: the model has ${positions} positions, the prompt takes ${promptTokens}`,
    String(asked),
    'Ask for fewer, or shorten the prompt.',
  )
}

function generateOptions(args: GenerateArguments, context: CommandContext): GenerateOptions {
  return {
    temperature: args.temperature,
    seed: args.seed,
    signal: context.signal,
    ...(args.topK === undefined ? {} : { topK: args.topK }),
    ...(args.topP === undefined ? {} : { topP: args.topP }),
  }
}

interface Generated {
  readonly text: string
  readonly ids: readonly number[]
  /** Seconds until the first token. */
  readonly prefill: number
  /** Seconds from the first token to the last. */
  readonly decode: number
}

async function stream(
  tokens: AsyncIterable<number>,
  tokenizer: Tokenizer,
  write: (piece: string) => void,
): Promise<Generated> {
  const decoder = tokenizer.stream()
  const ids: number[] = []
  const start = performance.now()
  let first = start
  let last = start
  let text = ''
  const put = (piece: string): void => {
    text += piece
    if (piece !== '') write(piece)
  }
  for await (const id of tokens) {
    last = performance.now()
    if (ids.length === 0) first = last
    ids.push(id)
    put(decoder.push(id))
  }
  put(decoder.end())
  return { text, ids, prefill: (first - start) / 1000, decode: (last - first) / 1000 }
}

function rate(tokens: number, perSecond: number | undefined): string {
  return perSecond === undefined
    ? `${tokens} tokens`
    : `${tokens} tokens, ${perSecond.toFixed(1)}/s`
}

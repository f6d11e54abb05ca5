/** @file The command line: which commands there are, and how each ends. */

import { Command, CommanderError } from 'commander'
import { addCompare } from './commands/compare.ts'
import { addConvert } from './commands/convert.ts'
import { addEval } from './commands/eval.ts'
import { addGenerate } from './commands/generate.ts'
import { addInspect } from './commands/inspect.ts'
import { addMerge } from './commands/merge.ts'
import { addQuantize } from './commands/quantize.ts'
import { EXIT, reportError } from './errors.ts'
import type { Io, Run } from './io.ts'
import { formatJson } from './output.ts'
import { version } from './version.ts'

const COMMANDS = [addQuantize, addMerge, addConvert, addInspect, addGenerate, addEval, addCompare]

const EXIT_CODES = `
Exit codes:
  0    done
  1    an error; the message is on stderr
  2    a command line that makes no sense
  130  interrupted (Ctrl-C); 143 by SIGTERM, 129 by SIGHUP`

/**
 * Runs `ao` with these arguments (without the program's name) and returns the exit code.
 *
 * @remarks Ends no process and changes nothing global, so that tests and other programs can call it.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const program = createProgram(io)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    // Commander has written its message by then. Help and the version end this way, too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    const { verbose = false } = program.opts<{ verbose?: boolean }>()
    const { aborted, reason } = io.signal
    return reportError(error, io.stderr, { verbose, aborted, reason })
  }
}

function createProgram(io: Io): Command {
  const program = new Command('ao')
    .description(
      'Quantize, convert, inspect, run and compare checkpoints, in the file layout of torchao.',
    )
    .option('--json', 'print one JSON document on stdout, and nothing else there')
    .option('--verbose', 'say where an error comes from')
    .version(version())
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText('after', EXIT_CODES)
  const run: Run = async (work) => {
    const { json = false } = program.opts<{ json?: boolean }>()
    const report = await work({ ...io, json })
    io.stdout.write(`${json ? formatJson(report.json) : report.text()}\n`)
    if (report.note !== undefined) io.stderr.write(`${report.note}\n`)
  }
  for (const add of COMMANDS) add(program, run)
  return program
}

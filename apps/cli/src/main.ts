#!/usr/bin/env node
/** @file The process `ao`: signals, streams and the exit code around {@link main}. */

import { main } from './cli.ts'

const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The second one ends the process at once, whatever hangs.
  process.once(signal, () => abort.abort())
}
// A reader that stops early, such as `head`, is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: abort.signal,
})

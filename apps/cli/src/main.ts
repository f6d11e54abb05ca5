#!/usr/bin/env node
/** @file The process `ao`: signals, streams and the exit code around {@link main}. */

import { main } from './cli.ts'
import { handleSignals, type Cleanups } from './interruption.ts'

const abort = new AbortController()
const cleanups: Cleanups = new Set()
const { stdin, stdout, stderr } = process
let isOver = false
handleSignals({ abort, cleanups, stderr, isOver: () => isOver })

// A reader that stops early, such as `head`, is not an error.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

process.exitCode = await main(process.argv.slice(2), {
  ...{ stdin, stdout, stderr, cleanups },
  signal: abort.signal,
})
isOver = true
// What a server still owes an answer to must not keep the process.
if (abort.signal.aborted) process.exit()

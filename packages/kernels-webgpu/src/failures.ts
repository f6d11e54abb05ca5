/**
 * @file What a command that failed takes with it.
 *
 * Memory that such a command writes has a `failure`, and so has what is computed of it. Reading that memory
 * gives the failure; all other work goes on.
 */

import type { Allocation } from './buffers.ts'
import type { Command } from './command.ts'
import { KernelError } from './errors.ts'

/**
 * Why `command` cannot run, if work before it failed: what it would write has failed, too, then.
 *
 * @remarks Programs may read what they write to, and leave parts of it as they are. So memory stays failed
 * until it is cleared as a whole, or is another tensor's.
 */
export function inheritedFailure(command: Command): unknown {
  switch (command.kind) {
    case 'dispatch': {
      const { pipeline, ranges } = command
      const failed = ranges.find(({ allocation }) => allocation.failure !== undefined)
      return pipeline.failure ?? failed?.allocation.failure
    }
    case 'copy':
      return command.from.allocation.failure
    case 'clear': {
      const { allocation, offset, size } = command.range
      if (offset === 0 && size === allocation.size) allocation.failure = undefined
      return allocation.failure
    }
    case 'replay':
      return undefined // its commands are asked one by one
  }
}

/** Marks what `command` writes. */
export function markFailed(command: Command, failure: unknown): void {
  const mark = (allocation: Allocation): void => {
    allocation.failure ??= failure
  }
  switch (command.kind) {
    case 'dispatch': {
      const { access } = command.pipeline.program
      command.ranges.forEach(({ allocation }, i) => {
        if (access[i] === 'w') mark(allocation)
      })
      break
    }
    case 'copy':
      command.failure ??= failure
      break
    case 'clear':
      mark(command.range.allocation)
      break
    case 'replay':
      for (const each of command.commands) markFailed(each, failure)
  }
}

/** Marks what depends on failed memory, of commands that were submitted before it was known to have failed. */
export function spreadFailures(commands: readonly Command[]): void {
  for (const command of commands) {
    if (command.kind === 'replay') spreadFailures(command.commands)
    const failure = inheritedFailure(command)
    if (failure !== undefined) markFailed(command, failure)
  }
}

/** What an exception of WebGPU, or an error that it told of later, is to those who read. */
export function submissionError(what: string, cause: unknown): KernelError {
  return new KernelError({
    package: '@ao/kernels-webgpu',
    expected: `WebGPU to take ${what}`,
    got: String((cause as Error | undefined)?.message ?? cause),
    cure: 'What it computes is not there. Call it again, or report this if it comes back.',
    cause,
  })
}

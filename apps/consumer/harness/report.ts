/** @file What the run prints. */
import type { Outcome } from './scenario.ts'

/** A scenario and a line for each of its steps; then, if one failed, the command and what it printed. */
export function outcomeText({ name, steps, failure }: Outcome): string {
  const width = Math.max(...steps.map(({ what }) => what.length))
  const lines = steps.map(({ what, seconds, result }) =>
    `  ${result === undefined ? 'FAIL' : 'ok  '} ${what.padEnd(width)} ${time(seconds)}  ${result ?? ''}`.trimEnd(),
  )
  const reason = failure ? [`\n${failure.message}\n`] : []
  return [name, ...lines, ...reason].join('\n')
}

export function time(seconds: number): string {
  return `${seconds.toFixed(1).padStart(5)} s`
}

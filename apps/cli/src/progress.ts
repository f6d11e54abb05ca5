/** @file Progress on stderr: a bar on a terminal, now and then a plain line where output is piped. */

import { SingleBar } from 'cli-progress'
import type { Output } from './io.ts'
import { formatShare } from './output.ts'

export interface Progress {
  /**
   * @param done - in the unit of `total`
   * @param detail - what is worked on now, such as a tensor's name
   */
  update(done: number, total: number, detail: string): void
  /** Clears a bar away. Call it before anything else is written. */
  stop(): void
}

/** Milliseconds between plain lines: a log of a long run stays short. */
const LINE_INTERVAL = 5000

/** @param title - what goes on, such as `quantize` */
export function createProgress(
  title: string,
  output: Output,
  now: () => number = () => performance.now(),
): Progress {
  return output.isTTY === true ? bar(title, output) : lines(title, output, now)
}

function bar(title: string, output: Output): Progress {
  const single = new SingleBar({
    stream: output as NodeJS.WritableStream,
    format: `${title} [{bar}] {percentage}% | {duration_formatted} | {detail}`,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 24,
    linewrap: false,
  })
  let started = false
  return {
    update(done, total, detail) {
      if (started) single.update(done, { detail })
      else single.start(total, done, { detail })
      started = true
    },
    stop() {
      if (started) single.stop()
    },
  }
}

function lines(title: string, output: Output, now: () => number): Progress {
  let last = now()
  return {
    update(done, total, detail) {
      if (now() - last < LINE_INTERVAL) return
      last = now()
      output.write(`${title}: ${formatShare(done / total)}, ${detail}\n`)
    },
    stop: () => undefined,
  }
}

/**
 * @file `ao merge`: joins the parts of a checkpoint that were made apart, and completes what a run that was stopped
 * had begun to put in place.
 */

import { FileError, openCheckpoint, writeIndex, type CheckpointDestination } from '@ao/safetensors'
import { directory, finishStagedFiles, stageFiles } from '@ao/safetensors/node'
import type { Command } from 'commander'
import type { Report, Run } from '../io.ts'
import { plural } from '../output.ts'
import { checkParts } from '../quantize/merge-parts.ts'
import { INDEX_FILE, PART_FILE } from '../quantize/run-record.ts'

const EXAMPLES = `
Examples:
  ao quantize ./large --config int8 --out ./out --shard 1/2
  ao quantize ./large --config int8 --out ./out --shard 2/2
  ao merge ./out`

export function addMerge(program: Command, run: Run): void {
  program
    .command('merge')
    .description(
      'Write the index of shards that ao quantize --shard made, or complete a folder that a stopped run left',
    )
    .argument('<dir>', 'folder with all parts')
    .addHelpText('after', EXAMPLES)
    .action((dir: string) => run(() => merge(dir)))
}

async function merge(dir: string): Promise<Report> {
  const folder = directory(dir)
  if ((await folder.list()).length === 0) {
    throw new FileError({
      package: '@ao/cli',
      expected: 'a folder with shards',
      got: `${dir}, which is empty or does not exist`,
      cure: 'Pass the --out of ao quantize --shard.',
    })
  }
  const completed = await finishStagedFiles(dir)
  const present = await folder.list()
  const isWhole = !present.some((name) => PART_FILE.test(name))
  if (completed && isWhole) return report(dir, await readableFiles(folder), true)
  const { shards, records } = await checkParts(folder)
  if (isWhole && present.includes(INDEX_FILE)) {
    const files = await readableFiles(folder)
    return { ...report(dir, files, false), text: () => `${dir} is complete: nothing to merge` }
  }
  const staged = await stageFiles(dir)
  try {
    await writeIndex({ ...folder, create: staged.create }, { expected: shards })
    await staged.commit({ remove: () => records })
  } finally {
    await staged.discard()
  }
  return report(dir, shards, completed)
}

/** The weight files of a folder, once it opens. */
async function readableFiles(folder: CheckpointDestination): Promise<string[]> {
  const checkpoint = await openCheckpoint(folder)
  await checkpoint.close()
  return [...checkpoint.files.keys()]
}

function report(dir: string, files: readonly string[], completed: boolean): Report {
  const shards = plural(files.length, 'shard')
  return {
    json: { out: dir, files, completed },
    text: () =>
      completed
        ? `completed ${dir}: the files of a run that was stopped are in place`
        : `wrote ${INDEX_FILE} for ${shards} to ${dir}`,
  }
}

/** @file `ao merge`: joins the parts of a checkpoint that were made apart. */

import { FileError, writeIndex } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import type { Command } from 'commander'
import type { Report, Run } from '../io.ts'
import { plural } from '../output.ts'

const EXAMPLES = `
Examples:
  ao quantize ./large --config int8 --out ./out --shard 1/2
  ao quantize ./large --config int8 --out ./out --shard 2/2
  ao merge ./out`

export function addMerge(program: Command, run: Run): void {
  program
    .command('merge')
    .description('Write the index of shards that ao quantize --shard made')
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
  const files = await writeIndex(folder)
  return {
    json: { out: dir, files },
    text: () => `wrote model.safetensors.index.json for ${plural(files.length, 'shard')} to ${dir}`,
  }
}

/** @file The examples of every package's README, run from what was installed by its own command. */
import { existsSync, readFileSync } from 'node:fs'
import { codeBlocks, writeBlocks } from '../../../tooling/checks/code-blocks.mjs'
import type { App } from '../harness/app.ts'
import type { Scenario } from '../harness/scenario.ts'

export const readmes: Scenario = {
  name: 'readmes',
  run: async ({ app, packages, step }) => {
    for (const { name, programs } of packages) {
      const home = await app()
      await step(`README of ${name}`, () => runExamples(home, name))
      for (const program of programs) {
        await step(`${program} --help`, async () => firstLine(await home.bin(program, '--help')))
      }
    }
  },
}

/** Installs what the README says, then what else its examples import, and runs these. */
async function runExamples(app: App, name: string): Promise<string> {
  await app.npm('install', name)
  const readme = app.path('node_modules', name, 'README.md')
  const blocks = codeBlocks(readme)
  await app.npm('install', ...installedBy(readFileSync(readme, 'utf8')))
  const imported = new Set(blocks.flatMap(({ code }) => importedPackages(code ?? '')))
  const others = [...imported].filter((each) => !existsSync(app.path('node_modules', each)))
  if (others.length > 0) await app.npm('install', ...others)

  writeBlocks(app.path('blocks'), blocks)
  const examples = blocks.filter(({ runner }) => runner !== undefined)
  for (const { runner, file } of examples) {
    if (runner === 'vitest') await app.bin('vitest', 'run', `blocks/${file}`)
    else await app.tsx(`blocks/${file}`)
  }
  const besides = others.length > 0 ? `; also imports ${others.join(', ')}` : ''
  return `${examples.length} of ${blocks.length} examples run${besides}`
}

/** The packages of every `npm install` in a README, but for programs that are installed globally. */
function installedBy(text: string): string[] {
  const lines = [...text.matchAll(/^npm install (?!-g|--global)([^#\n]*)/gm)]
  return lines.flatMap(([, names]) => String(names).trim().split(' '))
}

/** `@ao/safetensors` for `from '@ao/safetensors/node'`; nothing for files and Node's own modules. */
function importedPackages(code: string): string[] {
  const names = [...code.matchAll(/from '((?:@[\w-]+\/)?[\w-]+)[^':]*'/g)].map(([, name]) =>
    String(name),
  )
  return names.filter((name) => !name.startsWith('node'))
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}

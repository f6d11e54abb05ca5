/**
 * @file Every ```ts block of the READMEs and of docs/adding-a-format.md type-checks and runs as it
 * stands, from source. A block tagged ```ts no-run (it needs a browser, say) is type-checked alone.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { emptyProject, report, workspacePackages } from './workspace.mjs'

const folder = emptyProject('readme')
const folders = ['.', ...workspacePackages(['packages']).map((each) => each.folder)]
const pages = [...folders.map((each) => join(each, 'README.md')), 'docs/adding-a-format.md']
const blocks = pages.filter((file) => existsSync(file)).flatMap(codeBlocks)

layOut()
const types = run(folder, 'tsc', ['--noEmit', '-p', join(folder, 'tsconfig.json')])
const problems = types.status === 0 ? [] : [named(types.stdout)]
for (const { file, place, runs } of blocks) {
  if (!runs) continue
  const result = run('.', 'tsx', ['--conditions=@ao/source', join(folder, file)])
  if (result.status !== 0) problems.push(`${place} fails:\n${result.stderr}`)
}
report(problems, `${blocks.length} code blocks`)

function codeBlocks(page) {
  const text = readFileSync(page, 'utf8')
  return [...text.matchAll(/^```ts( no-run)?\n(.*?)^```$/gms)].map((match, i) => {
    const line = text.slice(0, match.index).split('\n').length + 1
    const owner = basename(dirname(resolve(page)))
    const runs = match[1] === undefined
    return { file: `${owner}-${i + 1}.mts`, place: `${page}:${line}`, runs, code: match[2] }
  })
}

/** One file per block, and how they are type-checked. */
function layOut() {
  const compilerOptions = {
    ...{ isolatedDeclarations: false, noUnusedLocals: false, types: ['node'] },
    ...{ moduleDetection: 'force', typeRoots: [resolve('node_modules/@types')] },
  }
  const base = relative(folder, resolve('tsconfig.base.json')).replaceAll('\\', '/')
  const tsconfig = { extends: base, compilerOptions, include: ['*.mts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  for (const { file, code } of blocks) writeFileSync(join(folder, file), code)
}

/** Blocks run in the repository's root, so that paths in them are those of a clone. */
function run(cwd, command, args) {
  return spawnSync(command, args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' })
}

/** Compiler output with each block's file replaced by its place in its README. */
function named(output) {
  return blocks.reduce((text, { file, place }) => text.replaceAll(file, `${place} (block)`), output)
}

/**
 * @file The ```ts blocks of the documentation, as files that can be type-checked and run. Words after
 * `ts` say what a block is:
 *
 *     ```ts              runs as it stands
 *     ```ts no-run       needs what is not here, a page or a server, say: is type-checked alone
 *     ```ts name.ts      a file, which other blocks of its page import as './name.ts'; runs too
 *     ```ts name.test.ts a file of tests, for vitest
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { workspacePackages } from './workspace.mjs'

const BLOCK = /^```ts(?: (no-run|[\w-]+(?:\.test)?\.ts))?\n(.*?)^```$/gms

/** Every page of documentation, as a path from the repository's root with slashes. */
export function documentationPages() {
  const docs = readdirSync('docs', { recursive: true }).map((file) => join('docs', String(file)))
  const readmes = workspacePackages().map(({ folder }) => join(folder, 'README.md'))
  const pages = ['README.md', 'CONTRIBUTING.md', ...readmes, ...docs.sort()]
  return pages
    .filter((page) => page.endsWith('.md') && existsSync(page))
    .map((page) => page.replaceAll('\\', '/'))
}

/**
 * The blocks of a page. `file` is where a block's `code` belongs in a folder of blocks, `place` is
 * where it stands, and `runner` is `tsx`, `vitest`, or undefined where it cannot run.
 *
 * @throws for a `ts` block with words after it that mean nothing
 */
export function codeBlocks(page) {
  const text = readFileSync(page, 'utf8')
  const blocks = [...text.matchAll(BLOCK)].map(({ 1: word, 2: code, index }, i) => {
    const line = text.slice(0, index).split('\n').length + 1
    const name = word === undefined || word === 'no-run' ? `block-${i + 1}.ts` : word
    const runner = name.endsWith('.test.ts') ? 'vitest' : 'tsx'
    return {
      ...{ page, line, place: `${page}:${line}`, code, file: `${pageName(page)}/${name}` },
      runner: word === 'no-run' ? undefined : runner,
    }
  })
  const fences = text.match(/^```ts\b/gm) ?? []
  if (fences.length === blocks.length) return blocks
  throw new Error(
    `${page}: expected that each ts block is closed, and tagged as code-blocks.mjs says`,
  )
}

/** Writes blocks below `folder`, and a package.json which says that they are ES modules. */
export function writeBlocks(folder, blocks) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }\n')
  for (const { file, code } of blocks) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), code)
  }
}

/** Compiler output with each `file(line,column)` of a block replaced by its place in its page. */
export function inPlace(output, blocks) {
  return output.replace(/^([^\s(]+)\((\d+),(\d+)\)/gm, (whole, file, line, column) => {
    const block = blocks.find((each) => each.file === file)
    return block ? `${block.page}:${block.line + Number(line) - 1}:${column}` : whole
  })
}

/** `int8` for packages/int8/README.md, `adding-a-format` for docs/adding-a-format.md. */
function pageName(page) {
  const parts = page.split('/')
  if (parts.at(-1) !== 'README.md') return parts.at(-1).replace(/\.md$/, '')
  return parts.at(-2) ?? 'root'
}

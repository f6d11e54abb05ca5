import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { codeBlocks, documentationPages, inPlace, writeBlocks } from '../code-blocks.mjs'

const folder = mkdtempSync(join(tmpdir(), 'ao-code-blocks-'))
afterAll(() => rmSync(folder, { recursive: true }))

function page(text: string): string {
  const file = join(folder, 'page.md')
  writeFileSync(file, text)
  return file
}

const block = (tag: string, code: string): string => `Text.\n\n\`\`\`${tag}\n${code}\n\`\`\`\n`
const [plain, noRun, named, test, other] = [
  block('ts', 'first()'),
  block('ts no-run', 'second()'),
  block('ts tensor.ts', 'third()'),
  block('ts tensor.test.ts', 'fourth()'),
  block('sh', 'npm install'),
]

describe('codeBlocks', () => {
  it('tells what a block is by the words after ts, and leaves others alone', () => {
    const blocks = codeBlocks(page(`# Title\n${plain}${other}${noRun}${named}${test}`))
    expect(blocks.map(({ file, runner, code }) => [file, runner, code])).toEqual([
      ['page/block-1.ts', 'tsx', 'first()\n'],
      ['page/block-2.ts', undefined, 'second()\n'],
      ['page/tensor.ts', 'tsx', 'third()\n'],
      ['page/tensor.test.ts', 'vitest', 'fourth()\n'],
    ])
    expect(blocks.map(({ line }) => line)).toEqual([5, 15, 20, 25])
  })

  it('refuses words that mean nothing, and a block without an end', () => {
    for (const text of [block('ts norun', 'x'), '```ts\nx\n']) {
      expect(() => codeBlocks(page(text))).toThrow('each ts block is closed, and tagged')
    }
  })

  it('writes blocks where others of their page find them', () => {
    const blocks = codeBlocks(page(named + test))
    writeBlocks(join(folder, 'out'), blocks)
    expect(readFileSync(join(folder, 'out/page/tensor.ts'), 'utf8')).toBe('third()\n')
    expect(JSON.parse(readFileSync(join(folder, 'out/package.json'), 'utf8')).type).toBe('module')
  })

  it('finds blocks on the pages that users read first', () => {
    const pages = documentationPages()
    for (const name of ['README.md', 'packages/int8/README.md', 'docs/adding-a-format.md']) {
      expect(pages).toContain(name)
      expect(codeBlocks(name)).not.toEqual([])
    }
  })
})

describe('inPlace', () => {
  it('replaces places in files of blocks by those in their page', () => {
    const file = page(plain + noRun)
    const output = 'page/block-2.ts(1,7): error TS1\n  more\nother.ts(3,1): error TS2'
    const [first = '', ...rest] = inPlace(output, codeBlocks(file)).split('\n')
    expect(first).toBe(`${file}:9:7: error TS1`)
    expect(rest).toEqual(['  more', 'other.ts(3,1): error TS2'])
  })
})

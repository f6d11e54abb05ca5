/**
 * @file Every ```ts block of the documentation type-checks and runs, from source. `code-blocks.mjs`
 * says which pages, and what else a block can be. Blocks run in the repository's root, so that paths
 * in them are those of a clone.
 */
import { prepareEnvironment } from '@ao/webgpu-driver'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { codeBlocks, documentationPages, inPlace, writeBlocks } from './code-blocks.mjs'
import { emptyProject, inPairs, report, run } from './workspace.mjs'

const folder = emptyProject('readme')
const bin = (name) => resolve('node_modules/.bin', name)
// All pages, or those that are named: `npm run check:readme -- docs/adding-a-format.md`.
const named = process.argv.slice(2)
const blocks = (named.length > 0 ? named : documentationPages()).flatMap(codeBlocks)
writeBlocks(folder, blocks)
// For blocks that use WebGPU.
prepareEnvironment()
symlinkSync(
  resolve('tooling/webgpu-driver/node_modules/webgpu'),
  join(folder, 'node_modules/webgpu'),
)
const checks = [typeCheck, runTests, ...programs()]
report((await inPairs(checks, (check) => check())).flat(), `${blocks.length} code blocks`)

async function typeCheck() {
  const compilerOptions = {
    ...{ isolatedDeclarations: false, noUnusedLocals: false },
    types: ['node', resolve('packages/kernels-webgpu/node_modules/@webgpu/types')],
    ...{ moduleDetection: 'force', typeRoots: [resolve('node_modules/@types')] },
  }
  const base = relative(folder, resolve('tsconfig.base.json')).replaceAll('\\', '/')
  const tsconfig = { extends: base, compilerOptions, include: ['*/*.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  const { failed, output } = await run(bin('tsc'), ['--noEmit'], folder)
  return failed ? [inPlace(output, blocks)] : []
}

async function runTests() {
  const config = [
    `import base from '${resolve('vitest.config.ts')}'`,
    // The blocks lie below node_modules, where vitest finds and transforms nothing by itself.
    `const test = { include: ['*/*.test.ts'], exclude: [], server: { deps: { inline: true } } }`,
    `export default { ...base, test }`,
  ]
  writeFileSync(join(folder, 'vitest.config.ts'), config.join('\n'))
  const { failed, output } = await run(bin('vitest'), ['run', '--passWithNoTests'], folder)
  return failed ? [output] : []
}

function programs() {
  return blocks
    .filter(({ runner }) => runner === 'tsx')
    .map(({ file, place }) => async () => {
      const flags = ['--conditions=@ao/source', '--import=./tooling/wgsl/register.mjs']
      const program = [...flags, join(folder, file)]
      const { failed, output } = await run(bin('tsx'), program)
      return failed ? [`${place} fails:\n${output}`] : []
    })
}

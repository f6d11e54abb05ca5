/**
 * @file Packs every published package as a release would, and checks the tarballs: publint, Are The
 * Types Wrong, the files that must be in, and that a project which has nothing but the tarballs can
 * import, require and type-check every entry. Needs built packages.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { entryNames, publicPackages, readJson, report } from './workspace.mjs'

const MUST_CONTAIN = ['LICENSE', 'README.md', 'package.json']
const consumer = resolve('node_modules/.cache/consumer')
const bin = (name) => resolve('node_modules/.bin', name)

rmSync(consumer, { recursive: true, force: true })
mkdirSync(consumer, { recursive: true })
const packages = publicPackages()
const problems = (await inPairs(packages, checkPackage)).flat()
problems.push(...(await checkConsumer(packages.flatMap(({ manifest }) => entryNames(manifest)))))
report(problems, `${packages.length} packages`)

async function checkPackage({ folder, manifest }) {
  const { name } = manifest
  const pack = await run(bin('pnpm'), ['pack', '--json', '--pack-destination', consumer], folder)
  if (pack.failed) return [`${name}: cannot be packed\n${pack.output}`]
  const { filename: tarball, files } = JSON.parse(pack.output)
  const kilobytes = (readFileSync(tarball).length / 1000).toFixed(1)
  console.log(`${name} ${manifest.version}: ${files.length} files, ${kilobytes} kB packed`)
  const installed = join(consumer, 'node_modules', name)
  mkdirSync(installed, { recursive: true })
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed])
  linkDependencies(folder, manifest)

  const packed = readJson(join(installed, 'package.json'))
  const missing = MUST_CONTAIN.filter((file) => !hasFile(join(installed, file)))
  const lint = await publint({ pack: { tarball: readBuffer(tarball) }, strict: true })
  const types =
    manifest.exports && (await run(bin('attw'), [tarball, '--profile', 'esm-only', '--no-color']))
  return [
    ...missing.map((file) => `${name}: ${file} is not in the tarball`),
    ...(JSON.stringify(packed).includes('workspace:')
      ? [`${name}: names a workspace version`]
      : []),
    ...lint.messages.map((message) => `${name}: ${formatMessage(message, packed)}`),
    ...(types?.failed ? [`${name}: types are wrong\n${types.output}`] : []),
  ]
}

/** Imports, requires and type-checks every entry where only the tarballs are installed. */
async function checkConsumer(names) {
  const load = (how) => `for (const name of ${JSON.stringify(names)}) ${how}`
  const uses = names.map((name, i) => `import * as entry${i} from '${name}'\nvoid entry${i}\n`)
  writeFileSync(join(consumer, 'use.mts'), uses.join(''))
  const strict = ['--strict', '--noEmit', '--module', 'nodenext', '--lib', 'es2022,dom']
  const node = (...args) => run(process.execPath, ['--no-warnings', ...args], consumer)
  const results = {
    'import()': await node('--input-type=module', '-e', load('await import(name)')),
    'require()': await node('--input-type=commonjs', '-e', load('require(name)')),
    tsc: await run(bin('tsc'), [...strict, 'use.mts'], consumer),
  }
  const failed = Object.entries(results).filter(([, result]) => result.failed)
  return failed.map(([how, { output }]) => `${how} of the packed packages fails\n${output}`)
}

function linkDependencies(folder, { dependencies = {} }) {
  for (const name of Object.keys(dependencies).filter((name) => !name.startsWith('@ao/'))) {
    const link = join(consumer, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    rmSync(link, { force: true })
    symlinkSync(realpathSync(join(folder, 'node_modules', name)), link)
  }
}

async function run(command, args, cwd = '.') {
  try {
    return { failed: false, output: (await promisify(execFile)(command, args, { cwd })).stdout }
  } catch (error) {
    return { failed: true, output: `${error.stdout ?? ''}${error.stderr ?? error}` }
  }
}

/** Maps with two calls under way at a time. */
async function inPairs(items, map) {
  const results = []
  const queue = items.entries()
  const worker = async () => {
    for (const [i, item] of queue) results[i] = await map(item)
  }
  await Promise.all([worker(), worker()])
  return results
}

function hasFile(file) {
  try {
    return readFileSync(file).length > 0
  } catch {
    return false
  }
}

function readBuffer(file) {
  const bytes = readFileSync(file)
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
}

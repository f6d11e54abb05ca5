/**
 * @file Packs every published package as a release would, and checks the tarballs: publint, Are The
 * Types Wrong, the files that must be in, and that a project which has nothing but the tarballs can
 * import, require and type-check every entry. Needs built packages.
 */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { entryNames, inPairs, publicPackages, readJson, report, run } from './workspace.mjs'

const MUST_CONTAIN = ['LICENSE', 'README.md', 'package.json']
const consumer = resolve('node_modules/.cache/consumer')
const bin = (name) => resolve('node_modules/.bin', name)

rmSync(consumer, { recursive: true, force: true })
mkdirSync(consumer, { recursive: true })
const packages = publicPackages()
const problems = (await inPairs(packages, checkPackage)).flat()
problems.push(...(await checkConsumer()))
report(problems, `${packages.length} packages`)

async function checkPackage({ folder, manifest }) {
  const { name, exports, version } = manifest
  const pack = await run(bin('pnpm'), ['pack', '--json', '--pack-destination', consumer], folder)
  if (pack.failed) return [`${name}: cannot be packed\n${pack.output}`]
  const { filename, files } = JSON.parse(pack.output)
  const bytes = readFileSync(filename)
  console.log(`${name} ${version}: ${files.length} files, ${(bytes.length / 1000).toFixed(1)} kB`)
  const packed = await installTarball(folder, manifest, filename)

  const missing = MUST_CONTAIN.filter((file) => !existsSync(join(installedFolder(name), file)))
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const lint = await publint({ pack: { tarball }, strict: true })
  const attw = [filename, '--profile', 'esm-only', '--no-color']
  const types = exports && (await run(bin('attw'), attw))
  const versions = Object.values(packed.dependencies ?? {})
  const findings = [
    ...missing.map((file) => `${file} is not in the tarball`),
    ...versions.filter((version) => version.startsWith('workspace')).map((v) => `depends on ${v}`),
    ...lint.messages.map((message) => formatMessage(message, packed)),
    ...(types?.failed ? [`types are wrong\n${types.output}`] : []),
  ]
  return findings.map((finding) => `${name}: ${finding}`)
}

/** Unpacks a tarball where the consumer finds it, beside what it depends on. Its package.json. */
async function installTarball(folder, manifest, tarball) {
  const target = installedFolder(manifest.name)
  mkdirSync(target, { recursive: true })
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', target])
  const others = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  for (const other of others.filter((name) => !name.startsWith('@ao/'))) {
    const link = installedFolder(other)
    mkdirSync(dirname(link), { recursive: true })
    rmSync(link, { force: true })
    // Peers are the workspace's own.
    const own = join(folder, 'node_modules', other)
    symlinkSync(realpathSync(existsSync(own) ? own : join('node_modules', other)), link)
  }
  return readJson(join(target, 'package.json'))
}

function installedFolder(name) {
  return join(consumer, 'node_modules', name)
}

/** Imports, requires, type-checks and runs every entry where only the tarballs are installed. */
async function checkConsumer() {
  const names = packages.flatMap(({ manifest }) => entryNames(manifest))
  const programs = packages.flatMap(({ manifest: { name, bin = {} } }) =>
    Object.values(bin).map((file) => join('node_modules', name, file)),
  )
  const load = (how) => `for (const name of ${JSON.stringify(names)}) ${how}`
  const uses = names.map((name, i) => `import * as entry${i} from '${name}'\nvoid entry${i}\n`)
  writeFileSync(join(consumer, 'use.mts'), uses.join(''))
  const strict = ['--strict', '--noEmit', '--module', 'nodenext', '--lib', 'es2022,dom']
  const types = ['--types', '@webgpu/types'] // which the DOM library of TypeScript 5 lacks
  const node = (...args) => run(process.execPath, ['--no-warnings', ...args], consumer)
  const results = {
    'import()': await node('--input-type=module', '-e', load('await import(name)')),
    'require()': await node('--input-type=commonjs', '-e', load('require(name)')),
    tsc: await run(bin('tsc'), [...strict, ...types, 'use.mts'], consumer),
  }
  for (const file of programs) results[`${file} --help`] = await node(file, '--help')
  const failed = Object.entries(results).filter(([, result]) => result.failed)
  return failed.map(([how, { output }]) => `${how} of the packed packages fails\n${output}`)
}

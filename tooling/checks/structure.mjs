/**
 * @file Every package has the same files, the same fields in package.json and the same README
 * headings, so that who knows one package finds their way in the next; and sources stay small enough
 * to read. Lines count as editors show them, comments and empty ones too.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { report, workspacePackages } from './workspace.mjs'

const FILES = ['README.md', 'tsconfig.json', 'tsup.config.mjs']
const LIBRARY_FILES = [...FILES, 'src/index.ts']
const HEADINGS = ['Install', 'Usage', 'API', 'Dependencies', 'Relation to torchao']
const FORMAT_HEADINGS = [
  ...['Install', 'Usage', 'Layout', 'Accuracy and size'],
  ...['API', 'Dependencies', 'Relation to torchao'],
]
const MAX_README_LINES = 100

/** Most lines of one source file, by how its name ends. */
const FILE_LINES = { '.ts': 400, '.wgsl': 200 }
/** Most lines and files below `src`, of packages; of a format unless named. */
const FORMAT_SIZE = { lines: 450, files: 9 }
const PACKAGE_SIZES = {
  int8: { lines: 650, files: 12 },
  float8: { lines: 1250, files: 14 },
  'int4-preshuffled': { lines: 800, files: 13 },
  'int4-tile-packed-to-4d': { lines: 800, files: 13 },
  intx: { lines: 900, files: 9 },
  uintx: { lines: 1150, files: 12 },
  'quant-primitives': { lines: 5200, files: Infinity },
}
/** Most lines below `src` of all packages together. */
const ALL_LINES = 51_000
const FIELDS = {
  license: 'BSD-3-Clause',
  type: 'module',
  sideEffects: false,
  engines: { node: '>=20.19.0' },
  files: ['dist', 'src'],
  publishConfig: { access: 'public', provenance: true },
}

const problems = workspacePackages().flatMap(({ folder, manifest }) => [
  ...(manifest.private === true ? [] : checkFields(folder, manifest)),
  ...(manifest.private === true ? [] : checkFiles(folder)),
  ...(folder.startsWith('packages') ? checkReadme(folder) : []),
  ...checkFileLines(folder),
  ...(folder.startsWith('packages') ? checkSize(folder) : []),
])
const total = workspacePackages(['packages']).reduce(
  (sum, { folder }) => sum + linesOf(sourcesOf(folder)),
  0,
)
if (total > ALL_LINES) {
  problems.push(`packages: expected ${ALL_LINES} lines of sources at most, got ${total}`)
}
report(problems, 'Every package has the files, fields and headings that it needs.')

function checkFiles(folder) {
  const files = folder.startsWith('packages') ? LIBRARY_FILES : FILES
  const missing = files.filter((file) => !existsSync(join(folder, file)))
  const tested =
    existsSync(join(folder, 'test')) && readdirSync(join(folder, 'test'), { recursive: true })
  const hasTest = tested && tested.some((file) => String(file).endsWith('.test.ts'))
  return [
    ...missing.map((file) => `${folder}: expected ${file}`),
    ...(hasTest ? [] : [`${folder}: expected a test/*.test.ts`]),
  ]
}

function checkFields(folder, manifest) {
  const wrong = Object.entries({ name: expectedName(folder), ...FIELDS }).filter(
    ([field, value]) => JSON.stringify(manifest[field]) !== JSON.stringify(value),
  )
  return [
    ...wrong.map(([field, value]) => `${folder}: expected "${field}": ${JSON.stringify(value)}`),
    ...(manifest.description ? [] : [`${folder}: expected a "description"`]),
    ...Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) =>
      subpath === './package.json' ? [] : checkExport(folder, subpath, target),
    ),
  ]
}

/** An export is its source, then its types, then its build, all of one name. */
function checkExport(folder, subpath, target) {
  const name = subpath === '.' ? 'index' : subpath.slice(2)
  const expected = {
    '@ao/source': `./src/${name}.ts`,
    types: `./dist/${name}.d.ts`,
    default: `./dist/${name}.js`,
  }
  const right = JSON.stringify(target) === JSON.stringify(expected)
  return right ? [] : [`${folder}: expected exports "${subpath}" to be ${JSON.stringify(expected)}`]
}

function checkReadme(folder) {
  const file = join(folder, 'README.md')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const found = lines.filter((line) => line.startsWith('## ')).map((line) => line.slice(3))
  const expected = found.includes('Layout') ? FORMAT_HEADINGS : HEADINGS
  const problems = []
  if (lines[0] !== `# ${expectedName(folder)}`) problems.push(`title # ${expectedName(folder)}`)
  if (found.join() !== expected.join()) problems.push(`headings ${expected.join(', ')}`)
  if (lines.length > MAX_README_LINES) problems.push(`${MAX_README_LINES} lines at most`)
  return problems.map((problem) => `${file}: expected ${problem}`)
}

function checkFileLines(folder) {
  return sourcesOf(folder).flatMap(({ file, lines }) => {
    const most = FILE_LINES[/\.[a-z]+$/.exec(file)?.[0] ?? ''] ?? Infinity
    return lines > most ? [`${file}: expected ${most} lines at most, got ${lines}`] : []
  })
}

function checkSize(folder) {
  const sources = sourcesOf(folder)
  const size =
    PACKAGE_SIZES[folder.split(/[/\\]/).at(-1)] ?? (isFormat(folder) ? FORMAT_SIZE : undefined)
  if (!size) return []
  const problems = []
  const lines = linesOf(sources)
  if (lines > size.lines) problems.push(`${size.lines} lines at most, got ${lines}`)
  if (sources.length > size.files) {
    problems.push(`${size.files} files at most, got ${sources.length}`)
  }
  return problems.map((problem) => `${folder}/src: expected ${problem}`)
}

/** Formats are the packages that have a tensor, and a README which draws its layout. */
function isFormat(folder) {
  const readme = join(folder, 'README.md')
  return (
    existsSync(join(folder, 'src', 'tensor.ts')) &&
    existsSync(readme) &&
    readFileSync(readme, 'utf8').includes('\n## Layout\n')
  )
}

/** The sources of a package, with their lines. */
function sourcesOf(folder) {
  const src = join(folder, 'src')
  if (!existsSync(src)) return []
  return readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
}

function linesOf(sources) {
  return sources.reduce((sum, { lines }) => sum + lines, 0)
}

function expectedName(folder) {
  return `@ao/${folder.split(/[/\\]/).at(-1)}`
}

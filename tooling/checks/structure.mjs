/**
 * @file Every package has the same files, the same fields in package.json and the same README
 * headings, so that who knows one package finds their way in the next.
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
])
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

function expectedName(folder) {
  return `@ao/${folder.split(/[/\\]/).at(-1)}`
}

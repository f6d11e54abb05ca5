/**
 * @file What `docs/parity.md` calls ours is exported by the package that the row names, members of classes
 * and interfaces included, and what it calls planned is not there yet. The page says how rows are written.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { publicPackages, report } from './workspace.mjs'

const PAGE = 'docs/parity.md'
const GROUP = /^((?:`[\w.]+`, )*`[\w.]+`) in `(@ao\/[\w/-]+)`$/
const PLANNED = /^(?:: (`@ao\/[\w-]+`(?:, `@ao\/[\w-]+`)*)|, [\w ]+)$/

const entries = new Map(
  publicPackages().flatMap(({ folder, manifest: { name, exports = {} } }) =>
    Object.entries(exports)
      .filter(([, target]) => target['@ao/source'] !== undefined)
      .map(([subpath, target]) => [
        name + subpath.slice(1),
        resolve(join(folder, target['@ao/source'])),
      ]),
  ),
)
const rows = readRows(readFileSync(PAGE, 'utf8'))
const claims = rows.flatMap(claimsOf)
const checker = typeChecker([...new Set(claims.map(({ entry }) => entries.get(entry)))])
const problems = [
  ...rows.flatMap(checkForm),
  ...claims.flatMap((claim) => checkClaim(claim).map((problem) => `${claim.place}: ${problem}`)),
]
report(problems, `${rows.length} rows, ${claims.length} names that are ours`)

/** The rows of all tables: where each stands, and what its middle cell says. */
function readRows(text) {
  return text.split('\n').flatMap((line, i) => {
    const cells = /^\| (.*) \|$/.exec(line)?.[1].split(' | ')
    const isRow = cells && !/^(:?-+:?|here)\s*$/.test(cells[1] ?? '')
    if (!isRow) return []
    return [{ place: `${PAGE}:${i + 1}`, here: (cells[1] ?? '').trim() }]
  })
}

function checkForm({ place, here }) {
  const problem = (text) => [`${place}: expected ${text}, got: ${here}`]
  if (here.startsWith('ours: ')) {
    const isRead = here
      .slice(6)
      .split('; ')
      .every((group) => GROUP.test(group))
    return isRead ? [] : problem('`name`, ... in `@ao/package`; ...')
  }
  if (here.startsWith('planned')) {
    const match = PLANNED.exec(here.slice(7))
    if (!match) return problem('planned: `@ao/package`, or planned, and when')
    const there = [...(match[1] ?? '').matchAll(/@ao\/[\w-]+/g)].filter(([name]) =>
      entries.has(name),
    )
    return there.flatMap(([name]) => problem(`that ${name}, which exists, is not called planned`))
  }
  return here === 'will not' ? [] : problem('ours, planned or will not')
}

function claimsOf({ place, here }) {
  const groups = here.startsWith('ours: ') ? here.slice(6).split('; ') : []
  return groups.flatMap((group) => {
    const [, names = '', entry = ''] = GROUP.exec(group) ?? []
    return [...names.matchAll(/`([\w.]+)`/g)].map(([, name]) => ({ place, name, entry }))
  })
}

function checkClaim({ name, entry }) {
  const source = entries.get(entry)
  if (source === undefined) return [`${entry} is not a package, or not an entry of one`]
  const file = checker.program.getSourceFile(source)
  const module = file && checker.getSymbolAtLocation(file)
  const [first, member] = name.split('.')
  const symbol = module && checker.getExportsOfModule(module).find((one) => one.name === first)
  if (symbol === undefined) return [`${entry} does not export ${first}`]
  if (member === undefined || membersOf(symbol).includes(member)) return []
  return [`${first} of ${entry} has no ${member}`]
}

/** Names of a type's properties, and of a class's static ones. */
function membersOf(symbol) {
  const own = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const types = [checker.getDeclaredTypeOfSymbol(own)]
  if (own.flags & ts.SymbolFlags.Value) types.push(checker.getTypeOfSymbol(own))
  return types.flatMap((type) => checker.getPropertiesOfType(type)).map(({ name }) => name)
}

function typeChecker(files) {
  const { config } = ts.readConfigFile('tooling/docs/tsconfig.json', ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve('tooling/docs'))
  const program = ts.createProgram(
    files.filter((file) => file !== undefined),
    { ...options, noEmit: true },
  )
  return Object.assign(program.getTypeChecker(), { program })
}

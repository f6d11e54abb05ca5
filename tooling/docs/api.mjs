/**
 * @file Pages of every public export, from the sources by TypeDoc, in `docs/api/`. Fails where an
 * export has no docstring of its own, or a link in one leads nowhere.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Application, Comment, Context, Converter, OptionDefaults, ReflectionKind } from 'typedoc'
import ts from 'typescript'
import { publicPackages } from '../checks/workspace.mjs'

const OUT = 'docs/api'

/** What can be imported: its name, and its source. */
const entries = publicPackages().flatMap(({ folder, manifest: { name, exports = {} } }) =>
  Object.entries(exports)
    .filter(([, target]) => target['@ao/source'] !== undefined)
    .map(([subpath, target]) => ({
      ...{ folder, isMain: subpath === '.' },
      ...{ name: name + subpath.slice(1), source: resolve(folder, target['@ao/source']) },
    })),
)

const app = await Application.bootstrap({
  name: 'ao',
  entryPoints: entries.map(({ source }) => source),
  tsconfig: 'tooling/docs/tsconfig.json',
  readme: 'none',
  disableSources: true,
  excludePrivate: true,
  blockTags: [...OptionDefaults.blockTags, '@file'],
  excludeTags: ['@file'],
  validation: { invalidLink: true, notExported: false },
})
app.converter.addUnknownSymbolResolver(resolveByName)
/** Exports whose declaration has a docstring: TypeDoc gives others that of an ancestor, silently. */
const documented = new Set()
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
  const { declarations = [] } = context.getSymbolFromReflection(reflection) ?? {}
  if (declarations.some(hasDocstring)) documented.add(reflection)
})
inlinePrivateAliases()
const project = await app.convert()
rmSync(OUT, { recursive: true, force: true })
if (project) {
  nameModules(project)
  app.validate(project)
  for (const name of undocumented(project)) app.logger.warn(`${name} has no docstring`)
  await app.generateDocs(project, OUT)
}
process.exitCode = app.logger.hasErrors() || app.logger.hasWarnings() ? 1 : 0

/** Shows `[input: Tensor, scale: Tensor]` where a signature has a name for it that its file keeps. */
function inlinePrivateAliases() {
  const isMarked = Context.prototype.shouldInline
  Context.prototype.shouldInline = function (symbol, name) {
    return isPrivateAlias(symbol) || isMarked.call(this, symbol, name)
  }
}

function isPrivateAlias({ declarations = [] }) {
  return declarations.some((declaration) => {
    const isOwn = !declaration.getSourceFile().fileName.includes('/node_modules/')
    const isExported = ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Export
    return ts.isTypeAliasDeclaration(declaration) && isOwn && !isExported
  })
}

/** Exports without a docstring. What types and classes have in them need not have any. */
function undocumented({ children = [] }) {
  const own = children.flatMap((module) => module.children ?? []).filter((it) => !it.isReference())
  return own.filter((it) => !documented.has(it)).map((it) => it.getFullName())
}

/** Whether a comment of words stands before the declaration itself: tags alone say nothing. */
function hasDocstring(declaration) {
  return ts
    .getJSDocCommentsAndTags(declaration)
    .some((doc) => ts.isJSDoc(doc) && (ts.getTextOfJSDocComment(doc.comment) ?? '').trim() !== '')
}

/** TypeDoc calls modules by their files. */
function nameModules({ children = [] }) {
  for (const module of children) {
    const { fileName } = project.getSymbolIdFromReflection(module)
    const entry = entries.find(({ source }) => source === fileName)
    module.name = entry.name
    module.comment = new Comment([{ kind: 'text', text: introOf(entry) }])
  }
}

/** What a package's README, or the file of a subpath, says first. */
function introOf({ folder, isMain, source }) {
  const text = readFileSync(isMain ? join(folder, 'README.md') : source, 'utf8')
  const [, intro = ''] =
    (isMain ? /^# .*\n([\s\S]*?)^## /m : /@file ([\s\S]*?)\*\//).exec(text) ?? []
  return intro.replaceAll(/^ \* ?/gm, '').trim()
}

/**
 * The export of another package that a link names: TypeScript takes `{@link ShapeError}` after
 * `@throws` for a type, and does not say what it is.
 */
function resolveByName({ symbolReference }, { project }) {
  const [first, ...rest] = symbolReference?.path ?? []
  if (first === undefined || rest.length > 0) return undefined
  const target = project
    .getReflectionsByKind(ReflectionKind.SomeExport)
    .find(({ name, parent }) => name === first.path && parent?.kindOf(ReflectionKind.Module))
  return target && { target }
}

/** @file What editors show of configs and their options, and that lists of options are those of their types. */
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../../..')
const PACKAGES = join(ROOT, 'packages')
const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.base.json'), (path) =>
  ts.sys.readFile(path),
)
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
const sources = readdirSync(PACKAGES).flatMap((folder) =>
  ts.sys.readDirectory(join(PACKAGES, folder, 'src'), ['.ts']),
)
const service = ts.createLanguageService({
  getCompilationSettings: () => ({ ...options, types: ['node', '@webgpu/types'] }),
  getScriptFileNames: () => [...sources, join(ROOT, 'tooling/wgsl/wgsl.d.ts')],
  getScriptVersion: () => '1',
  getScriptSnapshot: (path) => {
    const text = ts.sys.readFile(path)
    return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
  },
  getCurrentDirectory: () => join(PACKAGES, 'kernels-webgpu'), // has the types of WebGPU
  getDefaultLibFileName: ts.getDefaultLibFilePath,
  fileExists: ts.sys.fileExists,
  readFile: ts.sys.readFile,
  readDirectory: ts.sys.readDirectory,
  ...(ts.sys.realpath && { realpath: ts.sys.realpath }),
})
const program = service.getProgram() as ts.Program
const checker = program.getTypeChecker()
const files = program
  .getSourceFiles()
  .filter(({ fileName }) => fileName.startsWith(`${PACKAGES}/`) && /\/src\//.test(fileName))

/** All nodes of a file, outermost first. */
function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node
  const children: ts.Node[] = []
  node.forEachChild((child) => void children.push(child))
  for (const child of children) yield* nodesOf(child)
}

const hover = (node: ts.Node): string =>
  ts.displayPartsToString(
    service.getQuickInfoAtPosition(node.getSourceFile().fileName, node.getStart())?.documentation,
  )

/** Symbols that the packages export, by name. */
function exported(): Map<string, ts.Symbol> {
  const symbols = new Map<string, ts.Symbol>()
  for (const file of files.filter(({ fileName }) => fileName.endsWith('/src/index.ts'))) {
    const module = checker.getSymbolAtLocation(file)
    for (const symbol of module ? checker.getExportsOfModule(module) : []) {
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
      symbols.set(symbol.name, isAlias ? checker.getAliasedSymbol(symbol) : symbol)
    }
  }
  return symbols
}

it('editors say what configs are, and each of their options', { timeout: 120_000 }, () => {
  const symbols = [...exported()].filter(([name]) => /(Config|Options)$/.test(name))
  expect(symbols.map(([name]) => name)).toContain('Int8WeightOnlyConfig')
  const silent: string[] = []
  let count = 0
  for (const [name, symbol] of symbols) {
    for (const declaration of symbol.declarations ?? []) {
      const own = ts.getNameOfDeclaration(declaration)
      if (own && hover(own) === '') silent.push(name)
      count++
      if (!ts.isInterfaceDeclaration(declaration)) continue
      for (const member of declaration.members) {
        if (member.name && hover(member.name) === '')
          silent.push(`${name}.${member.name.getText()}`)
        count++
      }
    }
  }
  expect(silent).toEqual([])
  expect(count).toBeGreaterThan(100)
})

/** Fields that a list has beside those of its type, and why. */
const ALSO_TAKEN: Readonly<Record<string, readonly string[]>> = {
  // What `unflattenTensorStateDict` gave may be passed as it is.
  'oo{unknownAttributes tensors leftover}?': ['tensors', 'leftover'],
}

/** Each argument's list of options in the letters of `takes`, where it has one. */
const listsOf = (letters: string): (readonly string[] | undefined)[] =>
  Array.from(letters.matchAll(/[\w.](?:<[^>]*>)?(?:\{([^}]*)\})?\??/g), ([, known]) =>
    known?.split(' '),
  )

/** Checks of `takes` that have a list of options: the list, and the type of the argument. */
function* closedLists(): Generator<[where: string, list: readonly string[], type: ts.Type]> {
  for (const file of files) {
    for (const node of nodesOf(file)) {
      const isCall = ts.isCallExpression(node) && node.expression.getText() === 'takes'
      const isField = ts.isPropertyAssignment(node) && node.name.getText() === 'takes'
      if (!isCall && !isField) continue
      const letters = isCall ? node.arguments[0] : node.initializer
      if (!letters || !ts.isStringLiteralLike(letters)) continue
      const signature = isField ? referenceOf(node) : undefined
      for (const [i, list] of listsOf(letters.text).entries()) {
        if (!list) continue
        const where = `${file.fileName.slice(PACKAGES.length + 1)}: ${letters.text}`
        const argument = isCall ? node.arguments[i + 1] : undefined
        const type = argument ? checker.getTypeAtLocation(argument) : argumentType(signature, i)
        if (!type) throw new Error(`no argument ${i + 1} at ${where}`)
        const own = list.filter((name) => !ALSO_TAKEN[letters.text]?.includes(name))
        yield [where, own, checker.getNonNullableType(type)]
      }
    }
  }
}

/** The function `reference` beside `takes` in the definition of an op. */
function referenceOf(node: ts.PropertyAssignment): ts.Signature | undefined {
  const reference = checker.getTypeAtLocation(node.parent).getProperty('reference')
  if (!reference) return undefined
  return checker.getTypeOfSymbolAtLocation(reference, node).getCallSignatures()[0]
}

function argumentType(signature: ts.Signature | undefined, i: number): ts.Type | undefined {
  const parameter = signature?.parameters[i] ?? signature?.parameters.at(-1)
  const declaration = parameter?.valueDeclaration
  if (!parameter || !declaration) return undefined
  const type = checker.getTypeOfSymbolAtLocation(parameter, declaration)
  const isRest = ts.isParameter(declaration) && declaration.dotDotDotToken !== undefined
  if (!isRest) return type
  return checker.getTypeArguments(type as ts.TypeReference)[i]
}

it('lists of options are the fields of their types', { timeout: 120_000 }, () => {
  const different: string[] = []
  let count = 0
  for (const [where, list, type] of closedLists()) {
    count++
    const fields = type.getProperties().map(({ name }) => name)
    if (fields.toSorted().join() !== list.toSorted().join()) {
      different.push(`${where} is a list of ${fields.join(' ')}`)
    }
  }
  expect(different).toEqual([])
  expect(count).toBeGreaterThan(20)
})

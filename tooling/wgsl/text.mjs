/**
 * @file What `import source from './kernel.wgsl'` gives, wherever it is imported: in builds, in
 * tests (Node and browser) and when running from source.
 */

/**
 * The shader without comments and blanks that mean nothing. Lines stay where they are, so that a
 * compiler's line numbers are those of the file.
 */
export function wgslText(source) {
  const lines = stripComments(source).split(/\r?\n/)
  return lines
    .map((line) => withoutBlanks(line.trim()))
    .join('\n')
    .trimEnd()
}

const SIGN = /[-+*/%=<>!&|^~?:;,(){}[\]]/
const OPERATOR = /[-+*/%=<>!&|]/

/**
 * Blanks beside signs go, but for those between operators, which would join: `a - -b`. A line of the
 * template language (`#if A == B`) stays as it is.
 */
function withoutBlanks(line) {
  if (line.startsWith('#')) return line
  return line.replace(/ +/g, (_, at) => {
    const before = line[at - 1]
    const after = line.slice(at).trimStart()[0]
    const areApart = OPERATOR.test(before) && OPERATOR.test(after)
    return (SIGN.test(before) || SIGN.test(after)) && !areApart ? '' : ' '
  })
}

/** The shader as a JavaScript module whose default export is its text. */
export function wgslModule(source) {
  return `export default ${JSON.stringify(wgslText(source))}\n`
}

/** WGSL has no string literals, so a comment starts wherever its mark is; block comments nest. */
function stripComments(source) {
  let code = ''
  let blocks = 0 // block comments that are open
  let line = false // in a line comment
  for (const [token] of source.matchAll(/\/\/|\/\*|\*\/|\n|[^/*\n]+|[/*]/g)) {
    if (token === '\n') {
      line = false
      code += token
    } else if (line) continue
    else if (token === '/*') blocks++
    else if (token === '*/' && blocks > 0) code += --blocks === 0 ? ' ' : ''
    else if (blocks > 0) continue
    else if (token === '//') line = true
    else code += token
  }
  return code
}

/**
 * @file What `import source from './kernel.wgsl'` gives, wherever it is imported: in builds, in
 * tests (Node and browser) and when running from source.
 */

/**
 * The shader without comments, indentation and trailing blanks. Lines stay where they are, so that
 * a compiler's line numbers are those of the file.
 */
export function wgslText(source) {
  const lines = stripComments(source).split(/\r?\n/)
  return lines
    .map((line) => line.trim())
    .join('\n')
    .trimEnd()
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

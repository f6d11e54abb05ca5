/**
 * @file No file names a place that only its author has: registry hosts, home folders, temporary
 * paths. Lines that must (a test of a path, say) end with the words "allow-text".
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { report } from './workspace.mjs'

const FORBIDDEN = [
  { what: 'a registry host', pattern: /registry\.(npmjs|yarnpkg)|npmmirror|pypi\.org\/simple/ },
  { what: 'a machine path', pattern: /(?<![\w.~])\/(work|home|Users|root|tmp)\/\w/ },
  { what: 'a local host with a port', pattern: /https?:\/\/(10|192\.168|172\.\d+)\.\d+/ },
]
const TEXT = /\.(md|ts|mts|mjs|cjs|js|json|yaml|yml|html|css|wgsl|sh)$|\/(run|LICENSE)$/
const SELF = 'tooling/checks/text.mjs'

const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'])
const files = String(listed)
  .split('\n')
  .filter((file) => TEXT.test(file) && file !== SELF && !file.startsWith('tooling/goldens/'))

const problems = files.flatMap((file) =>
  read(file)
    .split('\n')
    .flatMap((line, i) =>
      FORBIDDEN.filter(({ pattern }) => pattern.test(line) && !line.endsWith('allow-text')).map(
        ({ what }) => `${file}:${i + 1}: ${what}: ${line.trim().slice(0, 80)}`,
      ),
    ),
)
report(problems, `${files.length} files`)

/** A file's text; '' for one that is listed and deleted. */
function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

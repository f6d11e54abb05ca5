/**
 * @file A throw-away copy of the repository as it stands, changes that are not committed included.
 * What a release does to versions, changelogs and tags is tried there, and the clone stays as it is.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const GROUPS = ['packages', 'apps', 'tooling']
// Large, and nothing of a release reads them.
const LEFT_OUT = /^tooling\/(goldens|models)\//

const GIT_CONFIG = {
  'user.name': 'rehearsal',
  'user.email': 'rehearsal@localhost',
  'commit.gpgsign': 'false',
  'tag.gpgsign': 'false',
}

/**
 * Copies the repository's files, what was built and the links between packages into `target`, as a
 * git repository of one commit on `main`.
 *
 * @param {string} target - a folder that does not exist
 */
export function copyRepository(target) {
  const listed = git(root, ['ls-files', '--cached', '--others', '--exclude-standard'])
  const files = listed.split('\n').filter((file) => file !== '' && !LEFT_OUT.test(file))
  for (const file of new Set(files)) copyIfThere(file, target)
  for (const group of GROUPS) {
    for (const name of readdirSync(join(root, group))) {
      copyIfThere(join(group, name, 'dist'), target)
      copyIfThere(join(group, name, 'node_modules'), target)
    }
  }
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'), 'junction')
  git(target, ['init', '--quiet', '--initial-branch=main'])
  for (const [key, value] of Object.entries(GIT_CONFIG)) git(target, ['config', key, value])
  writeFileSync(join(target, '.git', 'info', 'exclude'), 'node_modules\n')
  commitAll(target)
}

/** Commits everything in a copy. */
export function commitAll(copy) {
  git(copy, ['add', '--all'])
  git(copy, ['commit', '--quiet', '--allow-empty', '-m', 'Rehearsal'])
}

/**
 * The published packages of a copy: folder, package.json.
 *
 * @returns {{ folder: string, manifest: Record<string, any> }[]}
 */
export function releasedPackages(copy) {
  return GROUPS.flatMap((group) =>
    readdirSync(join(copy, group)).map((name) => join(copy, group, name)),
  )
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(folder) }))
    .filter(({ manifest }) => manifest.private !== true)
}

/**
 * Takes what only the hosted release can do out of a copy: a provenance statement is signed with the
 * identity of the workflow that publishes.
 */
export function withoutProvenance(copy) {
  for (const { folder, manifest } of releasedPackages(copy)) {
    writeManifest(folder, {
      ...manifest,
      publishConfig: { ...manifest.publishConfig, provenance: false },
    })
  }
}

// What `npm run` tells commands about the folder that it ran in.
const OF_NPM_RUN =
  /^(INIT_CWD|npm_(package|lifecycle)_.*|npm_(command|execpath|node_execpath)|npm_config_(loglevel|local_prefix|prefix|global_prefix|cache|user_agent))$/

/** The environment of a command in another folder, whichever way this process was started. */
export function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !OF_NPM_RUN.test(name)))
}

/** The same, with the workspace's tools on the path. */
export function toolsOnPath() {
  const path = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter)
  return { ...environment(), PATH: path }
}

/**
 * Runs a command in a copy, and gives what it printed.
 *
 * @param {string} copy
 * @param {string} command
 * @param {string[]} args
 * @returns {string}
 */
export function runIn(copy, command, args) {
  const shell = process.platform === 'win32'
  const options = { cwd: copy, env: toolsOnPath(), encoding: 'utf8', maxBuffer: 1 << 28, shell }
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  if (status === 0) return stdout
  const reason = error?.message ?? `${stdout}${stderr}`
  throw new Error(`${command} ${args.join(' ')} fails:\n${reason}`)
}

/** @returns {Record<string, any>} */
export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

export function writeManifest(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** A file may be listed and deleted, and a package may not have been built. */
function copyIfThere(path, target) {
  const source = join(root, path)
  if (!existsSync(source)) return
  mkdirSync(dirname(join(target, path)), { recursive: true })
  cpSync(source, join(target, path), { recursive: true, verbatimSymlinks: true })
}

function git(folder, args) {
  return runIn(folder, 'git', args)
}

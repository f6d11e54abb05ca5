/** @file What the checks share: the workspace's packages, how to run tools, and how a check ends. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** Every package and app: its folder from the root, and its package.json. */
export function workspacePackages(groups = ['packages', 'apps']) {
  return groups
    .flatMap((group) => readdirSync(group).map((name) => join(group, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readJson(join(folder, 'package.json')) }))
}

/** Those that are published. */
export function publicPackages() {
  return workspacePackages().filter(({ manifest }) => manifest.private !== true)
}

/** The import names that a package offers: `@ao/llama`, `@ao/llama/node`. */
export function entryNames({ name, exports = {} }) {
  return Object.keys(exports)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => name + subpath.slice(1))
}

/** An empty folder below node_modules in which every package is installed by its name. */
export function emptyProject(name) {
  const folder = resolve('node_modules/.cache', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'node_modules', '@ao'), { recursive: true })
  for (const { folder: target, manifest } of workspacePackages(['packages'])) {
    symlinkSync(resolve(target), join(folder, 'node_modules', manifest.name), 'junction')
  }
  return folder
}

export function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** Runs a command to its end: whether it failed, and what it printed. */
export async function run(command, args, cwd = '.') {
  const options = { cwd, maxBuffer: 1 << 28, shell: process.platform === 'win32' }
  try {
    return {
      failed: false,
      output: (await promisify(execFile)(command, args, options)).stdout,
    }
  } catch (error) {
    return { failed: true, output: `${error.stdout ?? ''}${error.stderr ?? error}` }
  }
}

/** Maps with two calls under way at a time. */
export async function inPairs(items, map) {
  const results = []
  const queue = items.entries()
  const worker = async () => {
    for (const [i, item] of queue) results[i] = await map(item)
  }
  await Promise.all([worker(), worker()])
  return results
}

/** Ends the check: prints the problems, if any, and says so with the exit status. */
export function report(problems, summary) {
  for (const problem of problems) console.log(problem)
  console.log(problems.length === 0 ? summary : `${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
}

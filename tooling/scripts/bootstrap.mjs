/**
 * @file Runs a command of the workspace on a machine that has Node and npm and nothing else:
 *
 *     node tooling/scripts/bootstrap.mjs <command> [arguments]
 *
 * Installs what package.json asks for, with the pnpm version that it pins, when that has changed
 * since the last time; then runs the command with node_modules/.bin on its path. Imports nothing
 * but Node, because it runs first.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { constants as os, homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const stampFile = join(root, 'node_modules', '.cache', 'installed')

checkNodeVersion()
const env = environment()
if (stamp() !== read(stampFile)) install()
const [command, ...args] = process.argv.slice(2)
if (command !== undefined) run(command, args)

function checkNodeVersion() {
  const wanted = manifest.engines.node.replace('>=', '')
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number)
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return
  console.error(`Expected Node ${wanted} or newer, got ${process.versions.node}. Install it first.`)
  process.exit(1)
}

/** The environment of every command: quiet tools, and caches inside the repository if need be. */
function environment() {
  const binaries = join(root, 'node_modules', '.bin')
  const quiet = { npm_config_update_notifier: 'false', npm_config_fund: 'false' }
  const untracked = { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }
  const caches = isHomeWritable() ? {} : cachesBelow(join(root, 'node_modules', '.cache'))
  const path = [binaries, process.env.PATH].join(delimiter)
  return { ...process.env, ...quiet, ...untracked, ...caches, PATH: path }
}

function cachesBelow(folder) {
  const home = join(folder, 'home')
  mkdirSync(home, { recursive: true })
  return {
    HOME: home,
    npm_config_cache: join(folder, 'npm'),
    npm_config_store_dir: join(folder, 'pnpm-store'),
  }
}

function install() {
  const pnpm = manifest.packageManager
  console.log(`Installing dependencies with ${pnpm} ...`)
  const start = performance.now()
  const flags = [
    '--frozen-lockfile',
    '--reporter=append-only',
    '--config.confirmModulesPurge=false',
  ]
  const options = { cwd: root, env, encoding: 'utf8', shell: process.platform === 'win32' }
  const result = spawnSync('npx', ['--yes', pnpm, 'install', ...flags], options)
  if (result.status !== 0) {
    console.error(`${result.stdout ?? ''}${result.stderr ?? ''}`)
    console.error(`Could not install the dependencies: ${result.error?.message ?? 'see above'}.`)
    process.exit(1)
  }
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, stamp())
  console.log(`Installed in ${((performance.now() - start) / 1000).toFixed(1)} s.`)
}

/** Changes when another install is needed. */
function stamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const file of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml']) {
    hash.update(read(join(root, file)))
  }
  for (const group of ['packages', 'apps', 'tooling']) {
    for (const name of readdirSync(join(root, group)).sort()) {
      hash.update(read(join(root, group, name, 'package.json')))
    }
  }
  return hash.digest('hex')
}

/** Runs a command and ends as it does, and not before: on a signal, the command may have to clean up. */
function run(command, args) {
  const options = { cwd: root, env, stdio: 'inherit', shell: process.platform === 'win32' }
  const child = spawn(command, args, options)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`Could not run ${command}: ${error.message}.`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + os.signals[signal]
  })
}

/** A file's text, '' if there is no such file. */
function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function isHomeWritable() {
  try {
    accessSync(homedir(), constants.W_OK)
    return true
  } catch {
    return false // nor has every user a home
  }
}

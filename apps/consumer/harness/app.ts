/** @file A stranger's project: an empty folder outside the workspace, and commands in it. */
import { readdirSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment } from '../../../tooling/release/copy.mjs'
import { run } from './command.ts'
import { npmrc, type Registry } from './registry.ts'

const YARN = 'yarn@1.22.22'
const INSTALLED = /(?:^|\/node_modules\/)((?:@[^/]+\/)?[^/.@][^/]*)\/package\.json$/
const sources = fileURLToPath(new URL('../scenarios/', import.meta.url))

/** Third parties come from where this machine gets them, `@ao` from the local registry. */
export class App {
  readonly folder: string
  readonly #env: NodeJS.ProcessEnv
  readonly #scratch: string

  private constructor(folder: string, scratch: string) {
    this.folder = folder
    this.#scratch = scratch
    this.#env = {
      ...environment(),
      npm_config_cache: join(scratch, 'npm-cache'),
      // Else yarn asks of every folder above which version it should be.
      SKIP_YARN_COREPACK_CHECK: '1',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
    }
  }

  /** Makes the folder `name` below `scratch`, with the files of folders of `scenarios`. */
  static async create(
    name: string,
    options: {
      readonly scratch: string
      readonly registry: Registry
      readonly files: readonly string[]
    },
  ): Promise<App> {
    const { scratch, registry, files } = options
    const app = new App(join(scratch, name), scratch)
    await mkdir(app.folder)
    await app.write('package.json', '{ "private": true }\n')
    for (const each of files) await cp(join(sources, each), app.folder, { recursive: true })
    await app.write('.npmrc', npmrc(registry))
    return app
  }

  path(...names: string[]): string {
    return join(this.folder, ...names)
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(this.path(file), text)
  }

  /** Runs npm, with the cache that all apps share. */
  npm(...args: string[]): Promise<string> {
    return this.#run('npm', args)
  }

  /** Runs the workspace's pnpm. */
  pnpm(...args: string[]): Promise<string> {
    return this.#run(tool('pnpm'), [...args, `--store-dir=${join(this.#scratch, 'pnpm-store')}`])
  }

  /** Runs yarn, which npm fetches. */
  yarn(...args: string[]): Promise<string> {
    const cache = `--cache-folder=${join(this.#scratch, 'yarn-cache')}`
    return this.#run('npx', ['--yes', YARN, ...args, cache])
  }

  node(...args: string[]): Promise<string> {
    return this.#run(process.execPath, ['--no-warnings', ...args])
  }

  /** Runs a file of TypeScript by the workspace's tsx. */
  tsx(file: string): Promise<string> {
    return this.#run(tool('tsx'), [file])
  }

  /** Runs a program of an installed package. */
  bin(name: string, ...args: string[]): Promise<string> {
    return this.#run(this.path('node_modules', '.bin', name), args)
  }

  /** Every package below node_modules, however deep, in order. */
  installed(): string[] {
    const files = readdirSync(this.path('node_modules'), { recursive: true })
    const names = files.flatMap(
      (file) => INSTALLED.exec(String(file).replaceAll('\\', '/'))?.[1] ?? [],
    )
    return [...new Set(names)].toSorted()
  }

  #run(command: string, args: readonly string[]): Promise<string> {
    return run(command, args, { folder: this.folder, env: this.#env })
  }
}

/** A program of the workspace. */
function tool(name: string): string {
  return fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url))
}

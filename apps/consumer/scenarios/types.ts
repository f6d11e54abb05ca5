/**
 * @file Declarations are right for the oldest compiler that is supported and for the newest, with
 * `@webgpu/types` and without, as Node resolves modules and as bundlers do.
 */
import type { App } from '../harness/app.ts'
import { CommandError } from '../harness/command.ts'
import { expectMatch } from '../harness/expect.ts'
import type { Scenario } from '../harness/scenario.ts'

type Compiler = 'typescript-5.9' | 'typescript-newest'

interface Case {
  readonly file: string
  readonly compiler: Compiler
  /** Whether `@webgpu/types` is among the project's types. */
  readonly globals?: boolean
  /** Whether declarations of libraries are checked in full; true unless given. */
  readonly libCheck?: boolean
  /** What the compiler must complain about; nothing unless given. */
  readonly error?: RegExp
}

const BEFORE_KERNELS: readonly Case[] = [
  { file: 'int8.mts', compiler: 'typescript-5.9' },
  { file: 'int8.mts', compiler: 'typescript-newest' },
]
const WITHOUT_TYPES: readonly Case[] = [
  { file: 'webgpu.mts', compiler: 'typescript-newest' },
  {
    file: 'webgpu.mts',
    compiler: 'typescript-5.9',
    error: /error TS\d+: Cannot find name 'GPUDevice'/,
  },
]
// Since the DOM library of the newest has WebGPU, too, the two collide when libraries are checked.
const WITH_TYPES: readonly Case[] = [
  { file: 'int8.mts', compiler: 'typescript-5.9', globals: true },
  { file: 'int8.mts', compiler: 'typescript-newest', globals: true, libCheck: false },
  { file: 'webgpu.mts', compiler: 'typescript-5.9', globals: true },
  { file: 'webgpu.mts', compiler: 'typescript-newest', globals: true, libCheck: false },
]

const RESOLUTIONS = [{ module: 'nodenext' }, { module: 'esnext', moduleResolution: 'bundler' }]

export const types: Scenario = {
  name: 'types',
  run: async ({ app, step }) => {
    const home = await app('types')
    const stage = async (install: string[], cases: readonly Case[]): Promise<void> => {
      const shown = install.map((name) => name.replace(/^typescript.*npm:/, ''))
      await step(`npm install ${shown.join(' ')}`, async () => {
        await home.npm('install', ...install)
        return ''
      })
      for (const each of cases) await step(nameOf(each), () => check(home, each))
    }
    const compilers = [
      'typescript-5.9@npm:typescript@5.9',
      'typescript-newest@npm:typescript@latest',
    ]
    await stage(['@ao/int8', ...compilers], BEFORE_KERNELS)
    await stage(['@ao/kernels-webgpu'], WITHOUT_TYPES)
    await stage(['@webgpu/types'], WITH_TYPES)
  },
}

function nameOf({ file, compiler, globals }: Case): string {
  return `${file}, ${compiler}, ${globals ? 'with' : 'no'} @webgpu/types`
}

/** Type-checks a file; says by which version, or what the compiler misses. */
async function check(
  app: App,
  { file, compiler, globals, libCheck, error }: Case,
): Promise<string> {
  const tsc = (...args: string[]): Promise<string> =>
    app.node(`node_modules/${compiler}/bin/tsc`, ...args)
  const version = (await tsc('--version')).trim()
  for (const resolution of RESOLUTIONS) {
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: libCheck === false },
      ...{ target: 'es2022', lib: ['es2022', 'dom'], types: globals ? ['@webgpu/types'] : [] },
      ...resolution,
    }
    await app.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }))
    if (error === undefined) await tsc('--noEmit')
    else expectMatch(await outputOfFailure(tsc('--noEmit')), error)
  }
  const mode = libCheck === false ? ', skipLibCheck' : ''
  return error === undefined ? `${version}${mode}` : `${version}: Cannot find name 'GPUDevice'`
}

async function outputOfFailure(command: Promise<string>): Promise<string> {
  try {
    await command
  } catch (error) {
    if (error instanceof CommandError) return error.output
    throw error
  }
  throw new Error('Expected the compiler to complain, got no error.')
}

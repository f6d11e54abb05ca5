/** @file An application that installs `@ao/int8` and nothing else of ao. */
import type { App } from '../harness/app.ts'
import { expectEqual } from '../harness/expect.ts'
import type { Scenario } from '../harness/scenario.ts'
import { thirdParty } from '../harness/third-party.ts'
import { textOfPage } from './browser.ts'
import { expectSqnr } from './sqnr.ts'

/** All that comes with it: no kernels, no other format, no types of WebGPU. */
export const NEEDED = [
  '@ao/base-tensor',
  '@ao/granularity',
  '@ao/int8',
  '@ao/quant-primitives',
  '@ao/quantized-linear',
]

export const int8Alone: Scenario = {
  name: 'int8-alone',
  run: async ({ app, step }) => {
    const home = await app('int8-alone')
    await step('npm install @ao/int8', async () => {
      await home.npm('install', '@ao/int8')
      return expectEqual(home.installed(), NEEDED, `only ${NEEDED.join(', ')}`)
    })
    await step('Node, import', async () => expectSqnr(await home.node('main.mjs')))
    await step('Node, require', async () => expectSqnr(await home.node('main.cjs')))

    const others = {
      'pnpm add': (app: App) => app.pnpm('add', '@ao/int8'),
      'yarn add': (app: App) => app.yarn('add', '@ao/int8'),
    }
    for (const [command, install] of Object.entries(others)) {
      const other = await app('int8-alone')
      await step(`${command} @ao/int8; Node, import`, async () => {
        await install(other)
        expectEqual(other.installed(), NEEDED)
        return expectSqnr(await other.node('main.mjs'))
      })
    }

    await step('npm install esbuild; bundle; Node', async () => {
      await home.npm('install', '--save-dev', thirdParty('esbuild'))
      const bundle = ['--bundle', '--minify', '--format=esm', '--outfile=bundle.mjs']
      await home.bin('esbuild', 'main.mjs', ...bundle)
      return expectSqnr(await home.node('bundle.mjs'))
    })
    await step('npm install vite; build; headless Chromium', async () => {
      await home.npm('install', '--save-dev', thirdParty('vite'))
      await home.bin('vite', 'build')
      return expectSqnr(await textOfPage(home.path('dist')))
    })
  },
}

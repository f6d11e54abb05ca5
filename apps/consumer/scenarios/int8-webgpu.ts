/** @file The application of `int8-alone`, with a GPU. */
import { expectEqual } from '../harness/expect.ts'
import type { Scenario } from '../harness/scenario.ts'
import { thirdParty } from '../harness/third-party.ts'
import { textOfPage } from './browser.ts'
import { NEEDED } from './int8-alone.ts'
import { expectWebgpuSqnr } from './sqnr.ts'

const ADDED = '@ao/kernels-webgpu'

export const int8Webgpu: Scenario = {
  name: 'int8-webgpu',
  run: async ({ app, step }) => {
    const home = await app('int8-alone', 'int8-webgpu')
    await step(`npm install @ao/int8 ${ADDED}`, async () => {
      await home.npm('install', '@ao/int8', ADDED)
      const installed = home.installed()
      return expectEqual(installed, [...NEEDED, ADDED].toSorted(), `${installed.length} packages`)
    })
    await step('npm install webgpu; Node', async () => {
      await home.npm('install', thirdParty('webgpu'))
      return expectWebgpuSqnr(await home.node('main.mjs'))
    })
    await step('npm install vite; headless Chromium', async () => {
      await home.npm('install', '--save-dev', thirdParty('vite'))
      await home.bin('vite', 'build')
      return expectWebgpuSqnr(await textOfPage(home.path('dist')))
    })
  },
}

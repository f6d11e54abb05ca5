import { playwright } from '@vitest/browser-playwright'
import { defaultClientConditions } from 'vite'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { chromiumOptions, prepareEnvironment } from './tooling/webgpu-driver/index.mjs'
import { wgslVitePlugin } from './tooling/wgsl/vite-plugin.mjs'

const FOLDERS = '{packages,apps,tooling}/*/test/**'

// Everything runs from source: no build comes first.
const conditions = ['@ao/source']

// Before workers start: a process chooses its driver once.
const launchOptions = chromiumOptions()
console.log(prepareEnvironment())
if (launchOptions === undefined) console.log('Chromium: none. Tests run in Node alone.')

/** One project for all packages: all tests in Node. */
const node: TestProjectInlineConfiguration = {
  plugins: [wgslVitePlugin()],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name: 'node',
    include: [`${FOLDERS}/*.test.ts`],
    testTimeout: 60_000,
    pool: 'forks', // threads cannot have a driver of their own
  },
}

/** The tests of kernels, once more in a browser. */
const chromium: TestProjectInlineConfiguration = {
  plugins: [wgslVitePlugin()],
  resolve: { conditions: [...defaultClientConditions, ...conditions] },
  test: {
    name: 'chromium',
    include: [`${FOLDERS}/*.gpu.test.ts`],
    testTimeout: 60_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions }),
      instances: [{ browser: 'chromium' }],
    },
  },
}

export default defineConfig({
  test: { projects: launchOptions === undefined ? [node] : [node, chromium] },
})

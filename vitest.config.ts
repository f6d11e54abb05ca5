import { chromiumOptions } from '@ao/webgpu-driver'
import { playwright } from '@vitest/browser-playwright'
import { defaultClientConditions } from 'vite'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { wgslVitePlugin } from './tooling/wgsl/vite-plugin.mjs'

const FOLDERS = '{packages,apps,tooling}/*/test/**'

// Everything runs from source: no build comes first.
const conditions = ['@ao/source']

const launchOptions = chromiumOptions()

/** One project for all packages: all tests in Node. */
const node: TestProjectInlineConfiguration = {
  plugins: [wgslVitePlugin()],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name: 'node',
    include: [`${FOLDERS}/*.test.ts`],
    testTimeout: 60_000,
    globalSetup: './tooling/webgpu-driver/vitest-setup.mjs',
    pool: 'forks', // a process chooses its driver when it starts, so threads have none
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

import { chromiumOptions } from '@ao/webgpu-driver'
import { playwright } from '@vitest/browser-playwright'
import { defaultClientConditions } from 'vite'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { wgslVitePlugin } from './tooling/wgsl/vite-plugin.mjs'

const FOLDERS = '{packages,apps,tooling}/*/test/**'

// Packages run from source: no build comes first.
const conditions = ['@ao/source']
const launchOptions = chromiumOptions()

/** One project for all packages: all tests in Node. */
const node: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    name: 'node',
    include: [`${FOLDERS}/*.test.ts`],
    globalSetup: './tooling/webgpu-driver/vitest-setup.mjs',
    pool: 'forks', // a process chooses its driver when it starts, so threads have none
  },
}

/**
 * The tests of kernels, once more in a browser; but for those of empty tensors, which are answered before
 * any kernel runs.
 */
const chromium: TestProjectInlineConfiguration = {
  extends: true,
  resolve: { conditions: defaultClientConditions },
  test: {
    name: 'chromium',
    include: [`${FOLDERS}/*.gpu.test.ts`],
    exclude: ['**/empty.gpu.test.ts'],
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
  plugins: [wgslVitePlugin()],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    testTimeout: 60_000,
    projects: launchOptions === undefined ? [node] : [node, chromium],
  },
})

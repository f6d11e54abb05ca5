import { chromiumOptions } from '@ao/webgpu-driver'
import { playwright } from '@vitest/browser-playwright'
import { defaultClientConditions } from 'vite'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { wgslVitePlugin } from './tooling/wgsl/vite-plugin.mjs'

const FOLDERS = '{packages,apps,tooling}/*/test/**'

// Packages run from source: no build comes first.
const conditions = ['@ao/source']
const launchOptions = chromiumOptions()

// Every format's kernels have tests of their own in Node.
const IN_BROWSERS_ALONE = '**/formats.browser.test.ts'

/** One project for all packages: all tests in Node. */
const node: TestProjectInlineConfiguration = {
  extends: true,
  test: {
    name: 'node',
    include: [`${FOLDERS}/*.test.ts`],
    exclude: ['**/node_modules/**', '**/*.slow.test.ts', IN_BROWSERS_ALONE],
    globalSetup: './tooling/webgpu-driver/vitest-setup.mjs',
    pool: 'forks', // a process chooses its driver when it starts, so threads have none
  },
}

/**
 * In a browser once more: what depends on who runs WebGPU, which is the device (`browser.test.ts`). The
 * shaders of both go through the same compiler, so that tests of kernels run in Node alone (`gpu.test.ts`).
 */
const chromium: TestProjectInlineConfiguration = {
  extends: true,
  resolve: { conditions: defaultClientConditions },
  test: {
    name: 'chromium',
    include: [`${FOLDERS}/*.browser.test.ts`],
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
    testTimeout: 180_000, // shaders compile slowly in software, and more so on a busy machine
    maxWorkers: '100%', // one core less unless given, which of two is half
    projects: launchOptions === undefined ? [node] : [node, chromium],
  },
})

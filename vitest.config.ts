import { defineConfig } from 'vitest/config'
import { prepareEnvironment } from './tooling/webgpu-driver/adapter.mjs'
import { wgslVitePlugin } from './tooling/wgsl/vite-plugin.mjs'

// One process for all packages, run from source: no build comes first.
const conditions = ['@ao/source']

// Before workers start: a process chooses its driver once.
console.log(prepareEnvironment())

export default defineConfig({
  plugins: [wgslVitePlugin()],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'apps/*/test/**/*.test.ts',
      'tooling/*/test/**/*.test.ts',
    ],
    testTimeout: 60_000,
  },
})

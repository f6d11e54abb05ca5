import { defineConfig } from 'vitest/config'
import { wgslVitePlugin } from './tooling/wgsl/vite-plugin.mjs'

// One process for all packages, run from source: no build comes first.
const conditions = ['@ao/source']

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

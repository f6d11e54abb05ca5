import { defineConfig } from 'vitest/config'
import { wgslVitePlugin } from './tooling/wgsl/vite-plugin.mjs'

/** Tests that take minutes: `npm run test:slow`. */
export default defineConfig({
  plugins: [wgslVitePlugin()],
  resolve: { conditions: ['@ao/source'] },
  ssr: { resolve: { conditions: ['@ao/source'] } },
  test: {
    include: ['{packages,apps,tooling}/*/test/**/*.slow.test.ts'],
    globalSetup: './tooling/webgpu-driver/vitest-setup.mjs',
    pool: 'forks',
    testTimeout: 600_000,
  },
})

import { defineConfig } from 'vitest/config'

const conditions = ['@ao/source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['*.suite.ts'] },
})

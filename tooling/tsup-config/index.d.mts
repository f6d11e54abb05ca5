import type { defineConfig } from 'tsup'

export declare function aoPackage(): ReturnType<typeof defineConfig>

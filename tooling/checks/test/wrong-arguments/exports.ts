/** @file Every export of packages, found in the packages' own `exports`. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** One name that an entry of a package exports. */
export interface PublicExport {
  /** Such as `@ao/int8/webgpu`. */
  readonly entry: string
  readonly name: string
  readonly value: unknown
}

const PACKAGES = resolve(import.meta.dirname, '../../../../packages')

/** The folders of all packages. */
export const packageFolders = (): string[] => readdirSync(PACKAGES).sort()

/** Imports every entry of the packages in `folders` from source. */
export async function publicExports(folders: readonly string[]): Promise<PublicExport[]> {
  const found: PublicExport[] = []
  for (const folder of folders) {
    const manifest = JSON.parse(readFileSync(join(PACKAGES, folder, 'package.json'), 'utf8'))
    for (const [subpath, target] of Object.entries<{ '@ao/source'?: string }>(manifest.exports)) {
      const source = target['@ao/source']
      if (source === undefined) continue
      const module = await import(pathToFileURL(join(PACKAGES, folder, source)).href)
      for (const [name, value] of Object.entries<unknown>(module)) {
        found.push({ entry: join(manifest.name, subpath), name, value })
      }
    }
  }
  return found
}

/** Whether `value` must be called with `new`. */
export function isClass(value: unknown): value is new (...args: unknown[]) => object {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

/** @file Models: small ones of this repository, and larger ones that may lie beside it. */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * Path of a file or folder in `../shared` beside the project, or undefined where it is absent: a test
 * that needs it then skips and says so.
 */
export function sharedPath(path: string): string | undefined {
  const full = fileURLToPath(new URL(`../../../../shared/${path}`, import.meta.url))
  return existsSync(full) ? full : undefined
}

/** Path of a file or folder in `tooling/models`, such as `stories-4m`. */
export function modelPath(path: string): string {
  return fileURLToPath(new URL(`../../models/${path}`, import.meta.url))
}

/** @file Tools of others that scenarios install, in the versions that the workspace is tested with. */
import { readFileSync } from 'node:fs'

const workspace = readFileSync(new URL('../../../pnpm-workspace.yaml', import.meta.url), 'utf8')

/** `vite@8.3.8` for `vite`: what the workspace's catalog says. */
export function thirdParty(name: string): string {
  const version = new RegExp(`^  '?${name}'?: (\\S+)$`, 'm').exec(workspace)?.[1]
  if (version === undefined) throw new Error(`Expected ${name} to be in the catalog.`)
  return `${name}@${version}`
}

/** @file The module hooks that register.mjs installs. */
import { readFile } from 'node:fs/promises'
import { wgslModule } from './text.mjs'

export async function load(url, context, nextLoad) {
  const { protocol, pathname } = new URL(url)
  if (protocol !== 'file:' || !pathname.endsWith('.wgsl')) return nextLoad(url, context)
  const source = await readFile(new URL(pathname, url), 'utf8')
  return { format: 'module', source: wgslModule(source), shortCircuit: true }
}

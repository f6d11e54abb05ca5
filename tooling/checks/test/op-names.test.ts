import { readdirSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'

const PACKAGES = new URL('../../../packages/', import.meta.url)

/** Packages whose ops are functions of PyTorch or torchao, in the order of their layers: an op is called as it is exported. */
const OWN_NAMES = ['base-tensor', 'nn', 'quant-primitives']

const isOp = (value: unknown): value is { readonly opName: string } =>
  typeof value === 'function' && 'opName' in value

it('ops are called <package>.<op>, or as they are exported where PyTorch or torchao has them', async () => {
  const shared = [...OWN_NAMES, 'quantized-linear'] // formats export ops of these again
  const folders = readdirSync(PACKAGES).filter((folder) => !shared.includes(folder))
  const seen = new Map<unknown, string>()
  const names: string[] = []
  for (const folder of [...shared, ...folders]) {
    if (folder === 'test-kit') continue // it defines tests where it is imported
    const entry = pathToFileURL(new URL(`${folder}/src/index.ts`, PACKAGES).pathname).href
    const exports = (await import(entry)) as Record<string, unknown>
    for (const [exported, value] of Object.entries(exports)) {
      if (!isOp(value) || seen.has(value)) continue
      seen.set(value, folder)
      names.push(value.opName)
      if (OWN_NAMES.includes(folder)) {
        expect(value.opName, `${exported} of @ao/${folder}`).toBe(exported)
      } else {
        expect(value.opName).toMatch(new RegExp(`^${folder.replaceAll('-', '_')}\\.[a-z]\\w*$`))
      }
    }
  }
  expect(names.length).toBeGreaterThan(60)
  expect(names).toEqual([...new Set(names)])
}, 60_000)

/** @file Uninstalling a format breaks nothing that does not name it. */
import { readFileSync } from 'node:fs'
import { expectEqual } from '../harness/expect.ts'
import type { Scenario } from '../harness/scenario.ts'

/** Each with the class that it is about. */
const FORMATS = {
  '@ao/int4': 'Int4Tensor',
  '@ao/int4-plain-int32': 'Int4PlainInt32Tensor',
  '@ao/int4-preshuffled': 'Int4PreshuffledTensor',
  '@ao/int4-tile-packed-to-4d': 'Int4TilePackedTo4dTensor',
  '@ao/int8': 'Int8Tensor',
}
// The command names every format; the kit is for tests and brings vitest.
const LEFT_OUT = ['@ao/cli', '@ao/test-kit']

export const uninstall: Scenario = {
  name: 'uninstall',
  run: async ({ app, packages, step }) => {
    const home = await app('uninstall')
    const all = packages.filter(({ name }) => !LEFT_OUT.includes(name))
    const names = all.map(({ name }) => name)
    const useAllBut = async (gone: string): Promise<string> => {
      const entries = all.filter(({ name }) => name !== gone).flatMap((each) => each.entries)
      const used = (await home.node('each-format.mjs', ...entries)).trim().split(', ')
      const left = Object.entries(FORMATS).filter(([name]) => name !== gone)
      expectEqual(
        used,
        left.map(([, format]) => format),
      )
      return `${entries.length} entries load, ${used.length} formats quantize`
    }

    const isFormat = (name: string): boolean =>
      readFileSync(home.path('node_modules', name, 'README.md'), 'utf8').includes('\n## Layout\n')

    await step(`npm install all ${names.length} libraries`, async () => {
      await home.npm('install', ...names)
      expectEqual(names.filter(isFormat), Object.keys(FORMATS))
      return useAllBut('none')
    })
    for (const gone of Object.keys(FORMATS)) {
      await step(`npm uninstall ${gone}`, async () => {
        await home.npm('uninstall', gone)
        const result = await useAllBut(gone)
        expectEqual(home.installed().includes(gone), false)
        await home.npm('install', gone)
        return result
      })
    }
  },
}

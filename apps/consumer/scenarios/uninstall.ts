/** @file Uninstalling a format breaks nothing that does not name it. */
import { expectEqual } from '../harness/expect.ts'
import type { Scenario } from '../harness/scenario.ts'

// The command names every format; the kit is for tests and brings vitest.
const LEFT_OUT = ['@ao/cli', '@ao/test-kit']

export const uninstall: Scenario = {
  name: 'uninstall',
  run: async ({ app, packages, step }) => {
    const home = await app('uninstall')
    const libraries = packages.filter(({ name }) => !LEFT_OUT.includes(name))
    /** Imports everything that is left, and uses its formats; a line for each of these. */
    const use = async (gone?: string): Promise<string[]> => {
      const left = libraries.filter(({ name }) => name !== gone)
      const entries = left.flatMap((each) => each.entries)
      return (await home.node('each-format.mjs', ...entries)).trim().split('\n')
    }

    const names = libraries.map(({ name }) => name)
    let formats: string[] = []
    await step(`npm install all ${names.length} libraries`, async () => {
      await home.npm('install', ...names)
      formats = await use()
      return `all entries load, ${formats.length} formats quantize`
    })
    const packageOf = (line: string): string => line.split(' ')[0] as string
    for (const name of new Set(formats.map(packageOf))) {
      await step(`npm uninstall ${name}`, async () => {
        await home.npm('uninstall', name)
        expectEqual(home.installed().includes(name), false)
        const left = formats.filter((each) => packageOf(each) !== name)
        expectEqual(await use(name), left)
        await home.npm('install', name)
        return `all other entries load, all ${left.length} other formats quantize`
      })
    }
  },
}

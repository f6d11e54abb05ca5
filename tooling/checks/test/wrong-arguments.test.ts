/** @file What the walk with wrong arguments covers. */
import { expect, it } from 'vitest'
import { packageFolders, publicExports } from './wrong-arguments/exports.ts'
import { GROUPS } from './wrong-arguments/groups.ts'
import { NOT_CALLED, NOT_CALLED_ENTRIES } from './wrong-arguments/not-called.ts'
import { VALID } from './wrong-arguments/valid.ts'

it('covers every package', () => {
  expect(Object.values(GROUPS).flat().sort()).toEqual(packageFolders())
})

it('leaves out, or gives arguments for, only what there is', async () => {
  const all = await publicExports(packageFolders())
  const names = new Set(all.flatMap(({ entry, name }) => [entry, name]))
  const listed = [NOT_CALLED, NOT_CALLED_ENTRIES, VALID].flatMap((list) => Object.keys(list))
  expect(listed.filter((name) => !names.has(name.split(/[.#](?=\w+$)/)[0] as string))).toEqual([])
})

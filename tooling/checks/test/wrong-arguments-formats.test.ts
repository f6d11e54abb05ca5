/** @file Everything that packages of formats export, called with what it does not take. */
import { expect, it } from 'vitest'
import { GROUPS } from './wrong-arguments/groups.ts'
import { walkPackages } from './wrong-arguments/run-walk.ts'

it('gives our errors, or a result', { timeout: 300_000 }, async () => {
  const { functions, found } = await walkPackages(GROUPS.formats)
  expect(found).toEqual([])
  expect(functions).toBeGreaterThan(60)
})

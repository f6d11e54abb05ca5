import { expect, it } from 'vitest'
import { openMutations } from './mutations.ts'

it('5,000 mutated files are opened or refused, and nothing else', async () => {
  const { opened, refused, wrong } = await openMutations(5000, 1)
  expect(wrong).toEqual([])
  expect(opened).toBeGreaterThan(300)
  expect(refused).toBeGreaterThan(2500)
})

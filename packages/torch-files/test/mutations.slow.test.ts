import { expect, it } from 'vitest'
import { openMutations } from './mutations.ts'

it('100,000 mutated files are opened or refused, and nothing else', async () => {
  const { opened, refused, wrong } = await openMutations(100_000, 2)
  expect(wrong).toEqual([])
  expect(opened + refused).toBe(100_000)
})

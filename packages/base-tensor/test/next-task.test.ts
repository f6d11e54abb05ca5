import { expect, it } from 'vitest'
import { nextTask } from '../src/index.ts'

it('resolves after the tasks that wait already', async () => {
  const order: string[] = []
  const microtask = Promise.resolve().then(() => order.push('microtask'))
  setImmediate(() => order.push('task'))
  await nextTask()
  await nextTask()
  order.push('next')
  await microtask
  expect(order).toEqual(['microtask', 'task', 'next'])
})

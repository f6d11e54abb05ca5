import { describe, expect, it } from 'vitest'
import { markdownTable, withTable } from '../scripts/accuracy/markdown.ts'

describe('tables of npm run accuracy', () => {
  const table = markdownTable(['', 'weight, linear'], [['PerRow', '41.2, 41.2']])

  it('are laid out as prettier lays them out', () => {
    expect(table.split('\n')).toEqual([
      '|        | weight, linear |',
      '| ------ | -------------- |',
      '| PerRow | 41.2, 41.2     |',
    ])
  })

  it('take the place of the table behind the comment, again and again', () => {
    const page = '| before |\n\n<!-- npm run accuracy -->\n\n| old |\n\nafter\n'
    const once = withTable(page, table)
    expect(once).toBe(page.replace('| old |', table))
    expect(withTable(once, table)).toBe(once)
    const last = page.replace('\n\nafter', '')
    expect(withTable(last, table)).toBe(last.replace('| old |', table))
    expect(() => withTable('| no comment |', table)).toThrow('Expected <!-- npm run accuracy -->')
  })
})

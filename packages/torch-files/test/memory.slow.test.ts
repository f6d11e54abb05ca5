import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { BOMBS } from './bombs.ts'

const program = fileURLToPath(new URL('open-bombs.ts', import.meta.url))

it('a process with 256 MiB refuses every pickle that asks for as much memory as it can', () => {
  const args = ['--max-old-space-size=256', '--import=tsx', '--conditions=@ao/source', program]
  const lines = execFileSync(process.execPath, args, { encoding: 'utf8' }).trim().split('\n')
  expect(lines.map((line) => line.slice(0, line.indexOf(':')))).toEqual(Object.keys(BOMBS))
  for (const line of lines) expect(line).toMatch(/: FormatError: \[@ao\/torch-files\] Expected /)
})

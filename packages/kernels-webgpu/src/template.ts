/**
 * @file The template language of our `.wgsl` files: what WGSL lacks to write one kernel for several tile
 * sizes and features, and to unroll by hand what compilers do not.
 *
 * - `$NAME` or `${NAME}` is the value of a define, or of the variable of a loop around it: `acc$i`.
 * - `#if NAME`, `#if !NAME`, `#if NAME == value`, `#else`, `#endif` keep or drop lines.
 * - `#for i in 0..N`, `#end` repeat lines; both ends are numbers, defines or variables, the last excluded.
 *
 * A directive has a line of its own.
 */

import { ValueError, takes } from '@ao/base-tensor'

/** What a template is expanded with. */
export type Defines = Readonly<Record<string, number | string | boolean>>

/**
 * WGSL from a template.
 *
 * @throws {@link ValueError} for a name without a value, and for directives that do not match
 */
export function expandTemplate(source: string, defines: Defines): string {
  takes('xo', source, defines)
  const lines = source.split('\n')
  const { out, next } = expand(lines, 0, defines, true)
  if (next < lines.length) throw unbalanced(lines[next] as string)
  return out.join('\n')
}

interface Expansion {
  readonly out: string[]
  /** Index of the line that ended it: a closing directive, or the end. */
  readonly next: number
}

/** Expands lines from `start` until a directive closes the block that they are in. */
function expand(
  lines: readonly string[],
  start: number,
  defines: Defines,
  isKept: boolean,
): Expansion {
  const out: string[] = []
  let at = start
  while (at < lines.length) {
    const line = lines[at] as string
    const [, directive, rest = ''] = /^\s*#(\w+)\s*(.*?)\s*$/.exec(line) ?? []
    if (directive === 'if') at = expandIf(lines, at, rest, defines, isKept, out)
    else if (directive === 'for') at = expandFor(lines, at, rest, defines, isKept, out)
    else if (directive !== undefined) return { out, next: at }
    else {
      if (isKept) out.push(substitute(line, defines))
      at++
    }
  }
  return { out, next: at }
}

function expandIf(
  lines: readonly string[],
  at: number,
  condition: string,
  defines: Defines,
  isKept: boolean,
  out: string[],
): number {
  const holds = isKept && evaluate(condition, defines)
  const yes = expand(lines, at + 1, defines, holds)
  if (holds) out.push(...yes.out)
  if (!isDirective(lines[yes.next], 'else')) return closed(lines, yes.next, 'endif')
  const no = expand(lines, yes.next + 1, defines, isKept && !holds)
  if (isKept && !holds) out.push(...no.out)
  return closed(lines, no.next, 'endif')
}

function expandFor(
  lines: readonly string[],
  at: number,
  header: string,
  defines: Defines,
  isKept: boolean,
  out: string[],
): number {
  const [, name, from, to] = /^(\w+)\s+in\s+(\w+)\.\.(\w+)$/.exec(header) ?? []
  if (name === undefined) throw unbalanced(lines[at] as string)
  const end = isKept ? Number(lookUp(to as string, defines)) : 0
  for (let i = isKept ? Number(lookUp(from as string, defines)) : 0; i < end; i++) {
    out.push(...expand(lines, at + 1, { ...defines, [name]: i }, true).out)
  }
  return closed(lines, expand(lines, at + 1, defines, false).next, 'end')
}

function evaluate(condition: string, defines: Defines): boolean {
  const [, not, name, value] = /^(!?)\s*(\w+)(?:\s*==\s*(\w+))?$/.exec(condition) ?? []
  if (name === undefined) throw unbalanced(`#if ${condition}`)
  const known = defines[name] ?? false
  const holds = value === undefined ? Boolean(known) : String(known) === value
  return not ? !holds : holds
}

function substitute(line: string, defines: Defines): string {
  return line.replace(/\$(?:(\w+)|\{(\w+)\})/g, (_, bare?: string, braced?: string) =>
    // A sign before it would join that of the number: `a--1`.
    lookUp((bare ?? braced) as string, defines).replace(/^-.*/, '($&)'),
  )
}

function lookUp(name: string, defines: Defines): string {
  if (/^\d+$/.test(name)) return name
  const value = defines[name]
  if (value !== undefined) return String(value)
  throw new ValueError({
    package: '@ao/kernels-webgpu',
    expected: `a define for $${name} of a WGSL template`,
    got: Object.keys(defines).join(', ') || 'no defines',
  })
}

const isDirective = (line: string | undefined, name: string): boolean =>
  line !== undefined && line.trim() === `#${name}`

function closed(lines: readonly string[], at: number, name: string): number {
  if (isDirective(lines[at], name)) return at + 1
  throw unbalanced(lines[at] ?? 'the end of the file')
}

function unbalanced(line: string): ValueError {
  return new ValueError({
    package: '@ao/kernels-webgpu',
    expected: '#if NAME, #else, #endif, #for i in 0..N and #end of a WGSL template, in pairs',
    got: line.trim(),
  })
}

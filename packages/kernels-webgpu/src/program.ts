/** @file Programs: WGSL with its bindings, made from a template and defines. */

import { expandTemplate, type Defines } from './template.ts'

/** A compute shader; its entry point is `main`. */
export interface Program {
  /** For messages and `explain`. */
  readonly name: string
  readonly code: string
  /** Access of each storage binding of group 0, in order: `r` read, `w` written. */
  readonly access: string
}

/** Makes the programs of one template; equal defines give the same program. */
export type ProgramMaker = (defines?: Defines) => Program

/**
 * Programs of a `.wgsl` template.
 *
 * The template declares storage as `@group(0) @binding(i) var<storage, read>` or `read_write`, in order
 * from 0 on, and may have one uniform struct of at most 256 bytes at `@group(1) @binding(0)`. `enable`
 * lines are written for it: for f16, subgroups and subgroup matrices where the code names them.
 *
 * @param name - of the kernel
 * @param source - text of the `.wgsl` file
 */
/* @__NO_SIDE_EFFECTS__ */
export function wgsl(name: string, source: string): ProgramMaker {
  const made = new Map<string, Program>()
  return (defines = {}) => {
    const key = JSON.stringify(defines)
    let program = made.get(key)
    if (!program) {
      const code = expandTemplate(source, defines)
      program = { name, code: enableLines(code) + code, access: accessOf(code) }
      made.set(key, program)
    }
    return program
  }
}

const ENABLES: readonly (readonly [RegExp, string])[] = [
  [/\bf16\b/, 'f16'],
  [/\bsubgroup(?:[A-Z]|_(?!matrix))/, 'subgroups'],
  [/\bsubgroup_matrix/, 'chromium_experimental_subgroup_matrix'],
]

function enableLines(code: string): string {
  const bare = code.replace(/\/\/.*/g, '')
  return ENABLES.filter(([pattern]) => pattern.test(bare))
    .map(([, feature]) => `enable ${feature};\n`)
    .join('')
}

function accessOf(code: string): string {
  const bindings = code.matchAll(/@group\(0\)\s*@binding\(\d+\)\s*var<storage,\s*(\w+)>/g)
  return Array.from(bindings, ([, access]) => (access === 'read' ? 'r' : 'w')).join('')
}

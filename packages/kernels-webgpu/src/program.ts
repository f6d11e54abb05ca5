/** @file Programs: WGSL with its bindings, made from a template and defines. */

import { takes } from '@ao/base-tensor'
import { expandTemplate, type Defines } from './template.ts'

/** A compute shader; its entry point is `main`. */
export interface Program {
  /** For messages and `explain`. */
  readonly name: string
  readonly code: string
  /** Its bindings in order: storage that is read `r` or written `w`; last, if it has any, params `u`. */
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
  takes('xx', name, source)
  const made = new Map<string, Program>()
  return (defines = {}) => {
    let key = ''
    for (const name in defines) key += `${name}=${defines[name]};`
    let program = made.get(key)
    if (!program) {
      program = makeProgram(name, expandTemplate(source, defines))
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

// A group for the params alone would have to be set for every dispatch besides the one of the storage.
const PARAMS = /@group\(1\)\s*@binding\(0\)/

function makeProgram(name: string, code: string): Program {
  const bindings = code.matchAll(/@group\(0\)\s*@binding\(\d+\)\s*var<storage,\s*(\w+)>/g)
  const storage = Array.from(bindings, ([, access]) => (access === 'read' ? 'r' : 'w')).join('')
  const access = PARAMS.test(code) ? `${storage}u` : storage
  const bound = code.replace(PARAMS, `@group(0) @binding(${storage.length})`)
  return { name, code: enableLines(bound) + bound, access }
}

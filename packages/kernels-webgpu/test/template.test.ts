import { describe, expect, it } from 'vitest'
import { expandTemplate, wgsl } from '@ao/kernels-webgpu'

const lines = (...each: string[]): string => each.join('\n')

describe('expandTemplate', () => {
  it('replaces names and keeps what is no name', () => {
    expect(expandTemplate('let a$i = ${N}u; // $M', { i: 2, N: 64, M: 'x' })).toBe(
      'let a2 = 64u; // x',
    )
  })

  it('keeps signs apart', () => {
    expect(expandTemplate('a-$MIN', { MIN: -128 })).toBe('a-(-128)')
  })

  it('keeps one side of a condition', () => {
    const source = lines('#if F16', 'half', '#else', 'single', '#endif', 'both')
    expect(expandTemplate(source, { F16: true })).toBe(lines('half', 'both'))
    expect(expandTemplate(source, { F16: false })).toBe(lines('single', 'both'))
    expect(expandTemplate(source, {})).toBe(lines('single', 'both'))
  })

  it('negates and compares', () => {
    const source = lines('#if !A', 'no', '#endif', '#if B == 4', 'four', '#endif')
    expect(expandTemplate(source, { B: 4 })).toBe(lines('no', 'four'))
    expect(expandTemplate(source, { A: true, B: '8' })).toBe('')
  })

  it('repeats lines, in nested loops and with sizes from defines', () => {
    const source = lines('#for i in 0..N', '#for j in 1..3', 'x$i = y$j;', '#end', '#end')
    expect(expandTemplate(source, { N: 2 })).toBe(
      lines('x0 = y1;', 'x0 = y2;', 'x1 = y1;', 'x1 = y2;'),
    )
  })

  it('decides inside of loops by their variable', () => {
    const source = lines('#for i in 0..3', '#if i == 1', 'one', '#else', '$i', '#endif', '#end')
    expect(expandTemplate(source, {})).toBe(lines('0', 'one', '2'))
  })

  it('does not look at what is dropped', () => {
    expect(
      expandTemplate(lines('#if NO', '$MISSING', '#for i in 0..GONE', '#end', '#endif', 'x'), {}),
    ).toBe('x')
  })

  it('names what is wrong', () => {
    expect(() => expandTemplate('$TILE', { N: 1 })).toThrow(
      '[@ao/kernels-webgpu] Expected a define for $TILE of a WGSL template, got N.',
    )
    const pairs =
      'Expected #if NAME, #else, #endif, #for i in 0..N and #end of a WGSL template, in pairs, got '
    expect(() => expandTemplate('#endif', {})).toThrow(`${pairs}#endif.`)
    expect(() => expandTemplate('#if A', {})).toThrow(`${pairs}the end of the file.`)
    expect(() => expandTemplate(lines('#if A', '#end'), {})).toThrow(`${pairs}#end.`)
    expect(() => expandTemplate(lines('#for i of N', '#end'), {})).toThrow(`${pairs}#for i of N.`)
  })
})

describe('wgsl', () => {
  const maker = wgsl(
    'test',
    lines(
      '@group(0) @binding(0) var<storage, read> a: array<$T>;',
      '@group(0) @binding(1) var<storage, read_write> b: array<$T>;',
      '#if SUM',
      'let s = subgroupAdd(a[0]);',
      '#endif',
    ),
  )

  it('gives equal defines the same program', () => {
    expect(maker({ T: 'f32' })).toBe(maker({ T: 'f32' }))
    expect(maker({ T: 'f32' })).not.toBe(maker({ T: 'u32' }))
  })

  it('knows bindings, and enables what the code names', () => {
    const program = maker({ T: 'f16', SUM: true })
    expect(program.access).toBe('rw')
    expect(program.code).toMatch(/^enable f16;\nenable subgroups;\n@group/)
    expect(maker({ T: 'f32' }).code).toMatch(/^@group/)
  })
})

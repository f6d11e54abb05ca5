/**
 * @file What a user's bundle may cost. Each fixture is bundled for browsers from the built packages,
 * minified and gzipped. `maxBytes` is about 10 % above what was measured: raise it in the commit
 * that causes it, and say why there. `packages` are the only packages whose code may be in it, and
 * none of `mustNotAppear` may occur in its text.
 */
const WGSL = ['@compute', '@workgroup_size', 'var<storage']
const ARITHMETIC = ['base-tensor', 'granularity', 'quant-primitives']

export const fixtures = [
  {
    name: 'a dense tensor',
    code: `export { tensor } from '@ao/base-tensor'`,
    packages: ['base-tensor'],
    mustNotAppear: WGSL,
    maxBytes: 0,
  },
  {
    name: 'dense linear',
    code: `export { tensor, linear } from '@ao/base-tensor'`,
    packages: ['base-tensor'],
    mustNotAppear: WGSL,
    maxBytes: 0,
  },
  {
    name: 'one granularity',
    code: `export { PerRow } from '@ao/granularity'`,
    packages: ['granularity'],
    mustNotAppear: WGSL,
    maxBytes: 0,
  },
]
void ARITHMETIC

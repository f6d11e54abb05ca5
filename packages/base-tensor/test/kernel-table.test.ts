import { expect, it } from 'vitest'
import { defineOp, KernelTable, zeros, type OpKernel, type Tensor } from '../src/index.ts'

/** What a device in WASM memory might give its kernels. */
interface Memory {
  readonly hasSimd: boolean
}

const op = defineOp({ name: 'test.sum', reference: (x: Tensor) => x })
const variants: OpKernel<Memory>['variants'] = [
  {
    name: 'simd',
    when: 'the module has SIMD, sizes of 4',
    fits: ({ hasSimd }: Memory, x: Tensor) => hasSimd && x.numel % 4 === 0,
    run: () => 'by simd',
  },
  {
    name: 'scalar',
    when: 'always',
    fits: (_: Memory, x: Tensor) => x.numel > 0,
    run: () => 'scalar',
  },
]

it('runs the first variant that fits, on any kind of device, and explains it', () => {
  const table = new KernelTable<Memory>('@ao/kernels-wasm', [{ op, variants }])
  const run = (hasSimd: boolean, count: number) => table.run({ hasSimd }, op, [zeros([count])])
  expect([run(true, 4), run(true, 3), run(false, 4)]).toEqual(['by simd', 'scalar', 'scalar'])
  expect(table.explain(() => void run(false, 4))).toEqual([
    {
      ...{ op: 'test.sum', variant: 'scalar', when: 'always' },
      refused: [{ variant: 'simd', when: 'the module has SIMD, sizes of 4' }],
    },
  ])
  expect(table.explain(() => undefined)).toEqual([])
  expect(() => run(false, 0)).toThrow(
    '[@ao/kernels-wasm] Expected arguments that a kernel of test.sum takes: simd (the module has SIMD, ' +
      'sizes of 4), scalar (always), got others.',
  )
  expect([table.has(op), table.has({ opName: 'other' })]).toEqual([true, false])
})

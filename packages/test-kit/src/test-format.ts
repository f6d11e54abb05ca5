/**
 * @file What every quantized tensor format must do, as tests.
 *
 * The counterpart of torchao's `TorchAOBasicTestCase` and its tests of loading by vLLM.
 */

import { describe } from 'vitest'
import type { FormatVariant, TestBase, TestFormatClass } from './contracts.ts'
import { hasOp } from './format-case.ts'
import { testCopies } from './suites/copies.ts'
import { testFormatClass } from './suites/format-class.ts'
import { testNumbers } from './suites/numbers.ts'
import { testParts } from './suites/parts.ts'
import { testPlan } from './suites/plan.ts'
import { testSlices, testTranspose } from './suites/views.ts'

/**
 * Tests a format in each of its variants: defines the tests, in a file that vitest runs.
 *
 * @param base - `import * as base from '@ao/base-tensor'`
 * @param format - the format's class; views are tested where its op table has them
 */
export function testFormat(
  base: TestBase,
  format: TestFormatClass,
  variants: readonly FormatVariant[],
): void {
  for (const variant of variants) {
    describe(`${format.formatName}, ${variant.name}`, () => {
      const dtypes = variant.dtypes ?? ['float32', 'float16', 'bfloat16']
      const test = { base, format, variant, dtype: dtypes[0] as string }
      for (const dtype of dtypes) describe(`of ${dtype}`, () => testNumbers({ ...test, dtype }))
      testFormatClass(test)
      testParts(test)
      testCopies(test)
      testPlan(test)
      if (hasOp(format, 'slice')) testSlices(test)
      if (hasOp(format, 'transpose')) testTranspose(test)
    })
  }
}

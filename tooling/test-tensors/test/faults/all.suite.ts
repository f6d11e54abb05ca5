/** @file The kit's tests of the right format and of all wrong ones; conformance.test.ts runs this. */

import * as base from '@ao/base-tensor'
import { testFormat } from '@ao/test-kit'
import { describe } from 'vitest'
import { FAULTY_FORMATS } from './faulty-formats.ts'
import { Rows } from './rows.ts'

const formats = [{ fault: 'none', format: Rows }, ...FAULTY_FORMATS]

for (const { fault, format } of formats) {
  describe(`fault: ${fault}`, () => {
    testFormat(base, format, [
      {
        name: 'rows',
        fromHp: (weight: base.Tensor) => format.fromHp(weight),
        shape: [24, 32],
        sliceSteps: [1, 1],
        weightSqnr: 40,
        linearSqnr: 40,
        dtypes: ['float32'],
      },
    ])
  })
}

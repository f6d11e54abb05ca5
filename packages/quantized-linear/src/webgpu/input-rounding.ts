/** @file What inputs are rounded to before they are multiplied. */

import { cast } from '@ao/base-tensor'
import { roundRowsToFloat8 } from './float8-input.ts'
import type { InputRounding } from './variants.ts'

/** To float8_e4m3fn, with a scale for each row. */
export const toFloat8: InputRounding = { dtype: 'float32', round: roundRowsToFloat8 }

/** To bfloat16. */
export const toBfloat16: InputRounding = {
  dtype: 'bfloat16',
  round: (_gpu, x) => (x.dtype === 'bfloat16' ? x : cast(x, 'bfloat16')),
}

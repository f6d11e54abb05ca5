/** @file The errors of this package. */

import { errorsOf, type ErrorMaker } from '@ao/base-tensor'

export const fail: ErrorMaker = /* @__PURE__ */ errorsOf('@ao/quantize')

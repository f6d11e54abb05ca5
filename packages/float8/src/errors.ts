/** @file The errors of this package. */

import { errorsOf, type ErrorMaker } from '@ao/base-tensor'

export const PACKAGE = '@ao/float8'

export const fail: ErrorMaker = /* @__PURE__ */ errorsOf(PACKAGE)

import type { Scenario } from '../harness/scenario.ts'
import { compose } from './compose.ts'
import { int8Alone } from './int8-alone.ts'
import { int8Webgpu } from './int8-webgpu.ts'
import { ownFormat } from './own-format.ts'
import { readmes } from './readmes.ts'
import { types } from './types.ts'
import { uninstall } from './uninstall.ts'

/** In the order in which they start: the longest first. */
export const SCENARIOS: readonly Scenario[] = [
  readmes,
  types,
  int8Alone,
  int8Webgpu,
  ownFormat,
  uninstall,
  compose,
]

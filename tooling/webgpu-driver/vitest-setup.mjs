/** @file What vitest does before it starts workers. */
import { prepareEnvironment } from './adapter.mjs'

export function setup() {
  console.log(prepareEnvironment())
}

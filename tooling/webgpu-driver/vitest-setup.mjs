/** @file What vitest does before it starts workers. */
import { chromiumOptions, prepareEnvironment } from '@ao/webgpu-driver'

export function setup() {
  console.log(prepareEnvironment())
  if (chromiumOptions() !== undefined) return
  console.log('Chromium: the one that is carried is for linux-x64. CHROMIUM_PATH may name another.')
}

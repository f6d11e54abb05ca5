/** @file What other tooling and apps use of this package. Tests import `@ao/webgpu-driver/gpu`. */
export { driverEnvironment, prepareEnvironment } from './adapter.mjs'
export { chromiumOptions, launchChromium } from './chromium.mjs'
export { chromiumFolder, vulkanFolder } from './folders.mjs'

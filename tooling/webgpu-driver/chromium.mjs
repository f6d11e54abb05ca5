/** @file A headless Chromium with WebGPU on the CPU. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { chromiumFolder, isSupported } from './folders.mjs'

const FLAGS = [
  '--no-sandbox', // which does not work as root, nor in containers
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
]

/**
 * How playwright starts the browser: `launch` options, or `undefined` where the carried one does
 * not run and `CHROMIUM_PATH` names no other.
 */
export function chromiumOptions() {
  const { CHROMIUM_PATH: own } = process.env
  const common = { headless: true, args: FLAGS }
  if (own !== undefined) return { ...common, executablePath: own }
  if (!isSupported) return undefined
  const folder = chromiumFolder()
  const executablePath = join(folder, 'chromium')
  return { ...common, executablePath, env: libraries(executablePath, join(folder, 'lib')) }
}

/** Starts the browser; its owner closes it. */
export async function launchChromium() {
  const options = chromiumOptions()
  if (options === undefined) throw new Error('Expected linux-x64, or CHROMIUM_PATH to be set.')
  const { chromium } = await import('playwright-core')
  return chromium.launch(options)
}

/** The environment: with the carried libraries where the machine lacks some. */
function libraries(executable, folder) {
  const { LD_LIBRARY_PATH: _, ...env } = process.env // Node's driver is not the browser's
  const lacks = /not found/.test(String(spawnSync('ldd', [executable], { env }).stdout))
  return lacks ? { ...env, LD_LIBRARY_PATH: folder } : env
}

/** @file Which WebGPU adapter Node gets on this machine, and the environment that it takes. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isSupported, vulkanFolder } from './folders.mjs'

/**
 * Adds to `process.env` what processes started from here need for WebGPU: nothing where the machine
 * has an adapter, else a software driver. Gives one line that says which it is.
 */
export function prepareEnvironment() {
  const { AO_WEBGPU: prepared } = process.env
  if (prepared !== undefined) return prepared
  const { env, line } = chooseAdapter()
  Object.assign(process.env, env, { AO_WEBGPU: line })
  return line
}

function chooseAdapter() {
  const found = probe(process.env)
  if (found.name !== undefined) return { env: {}, line: `WebGPU: ${found.name}` }
  if (!isSupported) {
    const why = `no adapter (${found.reason}), and the software driver is for linux-x64`
    return { env: {}, line: `WebGPU: ${why}. Tests that need WebGPU are skipped.` }
  }
  const env = driverEnvironment()
  const software = probe({ ...process.env, ...env })
  if (software.name !== undefined) return { env, line: `WebGPU: ${software.name}` }
  const why = `the software driver does not start (${software.reason})`
  return { env: {}, line: `WebGPU: none, ${why}. Tests that need WebGPU are skipped.` }
}

/** The variables with which a process must start to have the software driver. */
export function driverEnvironment() {
  const folder = vulkanFolder()
  const libraries = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
  const driver = join(folder, 'vk_swiftshader_icd.json')
  return { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: libraries, AO_WEBGPU_BACKEND: 'vulkan' }
}

/** Asks in a process of its own, because the driver is chosen once per process. */
function probe(env) {
  const script = fileURLToPath(new URL('probe.mjs', import.meta.url))
  const options = { env, encoding: 'utf8', timeout: 60_000 }
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [script], options)
  if (status === 0 && stdout !== '') return JSON.parse(stdout)
  const lines = `${stderr ?? ''}`.trim().split('\n')
  return { reason: error?.message ?? (lines.at(-1) || `status ${status}`) }
}

/**
 * @file The software driver and the browser, unpacked from what the package `@sparticuz/chromium`
 * carries, below `node_modules/.cache/webgpu-driver`. Its own code is not used: it wants a newer
 * Node, and unpacks into the system's temporary folder.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'

const require = createRequire(import.meta.url)
const source = dirname(dirname(require.resolve('@sparticuz/chromium')))
const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
const cache = fileURLToPath(new URL('../../node_modules/.cache/webgpu-driver/', import.meta.url))

/** Whether this machine can run what is carried. */
export const isSupported = process.platform === 'linux' && process.arch === 'x64'

/** The folder of the Vulkan loader and of SwiftShader, which is a Vulkan driver on the CPU. */
export function vulkanFolder() {
  return unpacked('vulkan', (folder) => unpackTar('swiftshader', folder))
}

/** The folder of Chromium's `chromium`, and in `lib` of libraries that a bare machine lacks. */
export function chromiumFolder() {
  return unpacked('chromium', (folder) => {
    writeFileSync(join(folder, 'chromium'), carried('chromium.br'))
    chmodSync(join(folder, 'chromium'), 0o755)
    unpackTar('swiftshader', folder)
    unpackTar('al2023', folder)
  })
}

/**
 * A folder that `fill` fills the first time. It appears under its name when it is complete, so that
 * processes which start together do not see each other's half.
 */
function unpacked(name, fill) {
  const folder = join(cache, version, name)
  if (existsSync(folder)) return folder
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  try {
    fill(unfinished)
    renameSync(unfinished, folder)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    if (!existsSync(folder)) throw error // else another process was first
  }
  return folder
}

function unpackTar(name, folder) {
  const options = { input: carried(`${name}.tar.br`), encoding: 'utf8' }
  const { status, stderr, error } = spawnSync('tar', ['-x', '-C', folder], options)
  if (status !== 0) throw new Error(`Could not unpack ${name}: ${error?.message ?? stderr}`)
}

function carried(file) {
  return brotliDecompressSync(readFileSync(join(source, 'bin', file)))
}

/**
 * @file Runs a command that may use WebGPU, on machines without a GPU, too:
 *
 *     node tooling/webgpu-driver/run.mjs <command> [arguments]
 *
 * Nothing is prepared, and nothing printed, unless one of the arguments is `webgpu` (as in
 * `--device webgpu`), or ends with `=webgpu`, or the variable `AO_DEVICE` is `webgpu`.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const [command, ...args] = process.argv.slice(2)
if (process.env.AO_DEVICE === 'webgpu' || args.some((each) => /^(.*=)?webgpu$/.test(each))) {
  const { prepareEnvironment } = await import('./adapter.mjs')
  console.error(prepareEnvironment())
}
const child = spawn(command, args, { stdio: 'inherit', shell: process.platform === 'win32' })
// The command ends as it likes. A terminal sends Ctrl-C to all processes, others to this one alone.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`Could not run ${command}: ${error.message}.`)
  process.exitCode = 1
})
child.on('exit', (code, signal) => (process.exitCode = code ?? 128 + constants.signals[signal]))

/** @file `npm run bench`: kernels and models on this machine's GPU, beside ONNX Runtime on the same GPU. */

import { writeFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { float8Kernels } from '@ao/float8/webgpu'
import { int4Kernels } from '@ao/int4/webgpu'
import { int4PlainInt32Kernels } from '@ao/int4-plain-int32/webgpu'
import { int4PreshuffledKernels } from '@ao/int4-preshuffled/webgpu'
import { int4TilePackedTo4dKernels } from '@ao/int4-tile-packed-to-4d/webgpu'
import { int8Kernels, subgroupMatrices } from '@ao/int8/webgpu'
import { intxKernels } from '@ao/intx/webgpu'
import type { KernelSet } from '@ao/kernels-webgpu'
import { denseMatrices } from '@ao/kernels-webgpu/matrices'
import { webgpuKernels as llama } from '@ao/llama/webgpu'
import { webgpuKernels as nn } from '@ao/nn/webgpu'
import { accuracyCases, measureAccuracy, type AccuracyResult } from './accuracy.ts'
import { copyBandwidth, dispatchNanoseconds, openGPU } from './environment.ts'
import { linearCases, measureLinear, type LinearResult } from './linears.ts'
import { measureModel, modelCases, type ModelResult } from './models.ts'
import { accuracyTable, linearTable, modelTable } from './tables.ts'

interface Options {
  readonly only?: 'linears' | 'models' | 'accuracy'
  readonly quick: boolean
  readonly peer: string
  readonly json?: string
  readonly filter?: string
  readonly matrices: boolean
  readonly tuning: { readonly int4?: object; readonly int8?: object; readonly float8?: object }
}

/** All kernels, with sizes to try in place of theirs. */
function kernels({ int4, int8: tuning = {}, float8 }: Options['tuning']): KernelSet[] {
  return [
    int4Kernels(int4),
    int4PlainInt32Kernels(int4),
    int4PreshuffledKernels(int4),
    int4TilePackedTo4dKernels(int4),
    float8Kernels(float8),
    intxKernels(int4),
    int8Kernels({ tuning, matrices: subgroupMatrices() }),
    denseMatrices(),
    llama,
    nn,
  ]
}

const program = new Command('bench')
  .description('Times kernels and models on WebGPU, and ONNX Runtime beside them.')
  .addOption(
    new Option('--only <what>', 'one of the three').choices(['linears', 'models', 'accuracy']),
  )
  .option('--quick', 'small shapes and few rounds, to see that it runs', false)
  .option('--filter <text>', 'rows whose format and shape contain it: `preshuffled M=1 `')
  .addOption(
    new Option('--peer <provider>', "ONNX Runtime's provider, or none")
      .choices(['webgpu', 'cpu', 'none'])
      .default('webgpu'),
  )
  .option('--no-matrices', 'without matrices of subgroups, where the GPU has them')
  .option(
    '--tuning <json>',
    'sizes to try: {"int4": {"gemv": {"minLanes": 64}}, "int8": {...}}, as LINEAR_TUNING and INT8_TUNING',
    (text) => JSON.parse(text) as Options['tuning'],
    {},
  )
  .option('--json <file>', 'where all figures go')
  .action(run)

await program.parseAsync()
process.exit(process.exitCode ?? 0) // Dawn keeps the process alive

async function run(options: Options): Promise<void> {
  const device = await openGPU(kernels(options.tuning), options.matrices)
  const { capabilities } = device
  const { vendor, architecture, device: product } = device.gpu.adapterInfo
  const dtype = capabilities.f16 ? 'float16' : 'float32'
  const bandwidth = await copyBandwidth(device, options.quick ? 2 ** 24 : 2 ** 29)
  const gpu = [vendor, architecture, product].filter(Boolean).join(' ')
  console.log(`${gpu}: activations of ${dtype}, copies at ${(bandwidth / 1e9).toFixed(0)} GB/s\n`)
  const linears: LinearResult[] = []
  const models: ModelResult[] = []
  const accuracy: AccuracyResult[] = []
  const isWanted = (what: string): boolean => (options.only ?? what) === what
  const matches = (text: string): boolean => text.includes(options.filter ?? '')
  const peer = options.peer === 'none' ? undefined : options.peer
  if (isWanted('linears')) {
    for (const row of linearCases(options.quick)) {
      if (!matches(`${row.format} M=${row.m} ${row.k} x ${row.n} g${row.groupSize ?? ''}`)) continue
      const effort = options.quick
        ? { distinctBytes: 1, rounds: 1, calls: 1 }
        : { distinctBytes: 2e8, rounds: 15, calls: 32 }
      await attempt(`${row.format} M=${row.m}`, async () => {
        const settings = { dtype, bandwidth, peer, ...effort } as const
        linears.push(await measureLinear(device, row, settings))
        console.log(linearTable(linears.slice(-1)).split('\n').at(-1))
      })
    }
  }
  const gapNanoseconds = await dispatchNanoseconds(device, options.quick)
  console.log(`a dispatch that does nothing: ${(gapNanoseconds / 1000).toFixed(2)} us`)
  if (isWanted('models')) {
    for (const row of modelCases(options.quick)) {
      if (!matches(`${row.format} ${row.model}`)) continue
      await attempt(`${row.model} ${row.format}`, async () => {
        const newTokens = options.quick ? 4 : 192
        const settings = { dtype, bandwidth, gapNanoseconds } as const
        const onStage = (text: string): void => console.error(`${row.model} ${row.format}: ${text}`)
        models.push(await measureModel(device, row, { ...settings, newTokens, onStage }))
        console.log(modelTable(models.slice(-1)).split('\n').at(-1))
      })
    }
  }
  if (isWanted('accuracy')) {
    for (const row of accuracyCases(options.quick, [...new Set([dtype, 'float32'] as const)])) {
      if (!matches(`${row.format} M=${row.m} ${row.k}`)) continue
      await attempt(`${row.format} M=${row.m}`, async () => {
        accuracy.push(await measureAccuracy(device, row))
        console.log(accuracyTable(accuracy.slice(-1)).split('\n').at(-1))
      })
    }
  }
  if (linears.length > 0) console.log(`\n${linearTable(linears)}`)
  if (models.length > 0) console.log(`\n${modelTable(models)}`)
  if (accuracy.length > 0) console.log(`\n${accuracyTable(accuracy)}`)
  if (options.json) {
    const report = {
      gpu,
      dtype,
      bandwidth,
      gapNanoseconds,
      capabilities,
      linears,
      models,
      accuracy,
    }
    writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`)
  }
}

/** One row that fails does not take the others with it, but the exit code tells. */
async function attempt(name: string, measure: () => Promise<void>): Promise<void> {
  try {
    await measure()
  } catch (error) {
    process.exitCode = 1
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

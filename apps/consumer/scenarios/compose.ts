/** @file Configs of two packages in one `FqnToConfig`: quantized, saved, loaded in another process. */
import { expectEqual, expectMatch } from '../harness/expect.ts'
import type { Scenario } from '../harness/scenario.ts'

const FORMATS = ['@ao/int8', '@ao/int4-plain-int32']
const OTHERS = ['@ao/nn', '@ao/quantize', '@ao/safetensors']

const MISSING =
  '[@ao/safetensors] Expected the class of "2.weight" among `formats` (Int8Tensor), ' +
  'got "Int4PlainInt32Tensor". Import Int4PlainInt32Tensor from the @ao package that has it and ' +
  'add it to `formats`.'

export const compose: Scenario = {
  name: 'compose',
  run: async ({ app, step }) => {
    const home = await app('compose')
    await step('npm install two formats, nn, quantize, ...', async () => {
      await home.npm('install', ...FORMATS, ...OTHERS)
      return `${home.installed().length} packages`
    })
    let fingerprint = ''
    await step('one FqnToConfig, quantize_, save', async () => {
      const [summary = '', numbers = ''] = (await home.node('quantize.mjs')).split('\n')
      fingerprint = numbers
      return expectMatch(
        summary,
        /^0.weight: Int8Tensor, 2.weight: Int4PlainInt32Tensor; SQNR 2\d.\d dB$/,
      )
    })
    await step('load by a list of both formats', async () => {
      expectEqual((await home.node('load.mjs')).trim(), fingerprint)
      return 'the same numbers'
    })
    await step('load by a list without one', async () => {
      return expectEqual((await home.node('load-without.mjs')).trim(), MISSING)
    })
  },
}
